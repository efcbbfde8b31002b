import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { type Credentials, type Environment, readCredentials, reader, readSecretKey } from './environment.ts'

type Role = 'api' | 'worker' | 'all'

export type S3Config = {
  /** Absent for AWS itself. */
  endpoint: string | undefined
  region: string
  /** Absent: the usual AWS chain (profile, instance role …) is asked. */
  credentials: Credentials | undefined
  forcePathStyle: boolean
}

/** All that can be set, checked and frozen. Plain data, so that it can be handed to a thread. */
export type Config = {
  role: Role
  node: string
  host: string
  port: number
  databaseUrl: string
  natsUrl: string
  /** Name of the stream; its lower case is the first token of every subject. */
  stream: string
  figurasDir: string
  /** Where chunks of files stand while they are read. */
  workDir: string
  /** Whether callers need a key. `off` lets everybody who reaches the port do everything. */
  auth: 'keys' | 'off'
  s3: S3Config
  /** What queries of addresses are sealed with, in hexadecimal; absent: an address with a query is refused. */
  secretKey: string | undefined
  /** For development and tests: files may come from http:// and from loopback addresses. */
  allowLoopback: boolean
  /** Prefixes of addresses, under which every source of a figura has to lie; none: no figura can be used. */
  sources: readonly string[]
  threads: number
  bounds: Bounds
}

/** Every bound of memory, disk and time, named once. Sizes in bytes, times in milliseconds. */
export type Bounds = ReturnType<typeof boundsOf>

/**
 * Reads the environment once, checks all of it, and freezes the result.
 * @throws Error that lists every variable that is missing or wrong, by name.
 */
export function readConfig(env: Environment = process.env): Config {
  const wrong: string[] = []
  const read = reader(env, wrong)
  const role = read.oneOf('ROLE', ['api', 'worker', 'all'] as const, 'all')
  const allowLoopback = read.boolean('ALLOW_LOOPBACK_SOURCES', false)
  const threads = read.integer('WORKER_THREADS', 2, 1, 64)
  const config: Config = {
    role,
    node: env.NODE_NAME || hostname(),
    host: env.HOST || '0.0.0.0',
    port: read.integer('PORT', 3000, 0, 65535),
    databaseUrl: databaseUrlOf(read),
    natsUrl: read.url('NATS_URL', ['nats:', 'tls:'], 'nats://host:4222'),
    stream: read.matching('NATS_STREAM', /^[A-Z][A-Z0-9_]{0,31}$/, 'BULK', 'capital letters, digits and _'),
    figurasDir: resolve(env.FIGURAS_DIR || 'figuras'),
    workDir: resolve(env.WORK_DIR || '/tmp/bulk'),
    auth: read.oneOf('AUTH', ['keys', 'off'] as const, 'keys'),
    s3: {
      endpoint: env.S3_ENDPOINT
        ? read.url('S3_ENDPOINT', ['http:', 'https:'], 'https://s3.example.com')
        : undefined,
      region: env.S3_REGION || env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1',
      credentials: readCredentials(env, wrong),
      forcePathStyle: read.boolean('S3_FORCE_PATH_STYLE', Boolean(env.S3_ENDPOINT)),
    },
    secretKey: readSecretKey(env, wrong),
    allowLoopback,
    sources: read.prefixes('SOURCES', { every: allowLoopback }),
    threads,
    bounds: boundsOf(read),
  }
  if (wrong.length)
    throw new Error(`The environment is wrong:\n${wrong.map((line) => `  ${line}`).join('\n')}`)
  return deepFreeze(config)
}

/** The address of the database alone, for what needs nothing else. @throws Error when it is missing or wrong */
export function readDatabaseUrl(env: Environment = process.env): string {
  const wrong: string[] = []
  const url = databaseUrlOf(reader(env, wrong))
  if (wrong.length) throw new Error(`The environment is wrong:\n  ${wrong.join('\n  ')}`)
  return url
}

function databaseUrlOf(read: Read): string {
  const example = 'postgres://user:password@host:5432/database'
  return read.url('DATABASE_URL', ['postgres:', 'postgresql:'], example)
}

/**
 * The size that the process-wide native thread pool must have. A running DuckDB call holds one of its threads: with
 * the default (the number of cores) two queries on two cores block every file read, zlib and DNS look-up of the
 * process. Two for each worker thread (one query running, one chunk being fetched), 8 for files, DNS and TLS.
 */
export function nativePoolSize(threads: number): number {
  return Math.max(16, threads * 2 + 8)
}

/** The size that it was given; 0 when nobody set it. Bun reads it before any JavaScript runs. */
export function givenNativePoolSize(env: Environment = process.env): number {
  return Number(env.UV_THREADPOOL_SIZE) || 0
}

/** The environment of a worker process: ours, with the size of its native thread pool. */
export function workerEnvironment(threads: number, env: Environment = process.env): Environment {
  const size = Math.max(givenNativePoolSize(env), nativePoolSize(threads))
  return { ...env, UV_THREADPOOL_SIZE: String(size) }
}

type Read = ReturnType<typeof reader>

function boundsOf(read: Read) {
  return { ...callerBounds(read), ...fileBounds(read), ...loadBounds(read), ...jobBounds(read) }
}

/** What callers may send, and how much of it. */
function callerBounds(read: Read) {
  return {
    /** A request holds addresses, never data. A list of 1,000 presigned ones has 2.5 MB, and needs a higher bound. */
    bodyBytes: read.integer('BODY_MAX_KB', 64, 1, 16_384) * 1024,
    /** How long a body may take to come in: one that drips holds a connection no longer. */
    bodyMs: read.integer('BODY_SECONDS', 10, 1, 25) * 1000,
    /** Requests of one key, in one API node: so many a second in the long run, and a burst after a rest. */
    requestsPerSecond: read.integer('RATE_PER_SECOND', 100, 1, 1_000_000),
    requestsBurst: read.integer('RATE_BURST', 500, 1, 1_000_000),
    /** Jobs of one figura, and of one key, that may wait or run; what comes beyond is refused. */
    queueJobs: read.integer('QUEUE_MAX_JOBS', 10_000, 1, 1_000_000_000),
    queueJobsPerKey: read.integer('QUEUE_MAX_JOBS_PER_KEY', 10_000, 1, 1_000_000_000),
  }
}

/** What files and chunks may have. */
function fileBounds(read: Read) {
  return {
    /** How long a PUT waits for a look at the file, before it is accepted without one; 0: no look is taken. */
    preflightMs: read.integer('PREFLIGHT_MS', 2000, 0, 20_000),
    /** Looks at once; a PUT that comes beside them is accepted without one, so that a burst does not wait in line. */
    preflights: 8,
    /** DuckDB's own buffers, in the process that takes these looks: a footer alone is read. */
    preflightBytes: 64 * MiB,
    /** Connections of the API. One PUT is one statement of about a millisecond. */
    apiConnections: read.integer('API_CONNECTIONS', 10, 1, 1000),
    /**
     * Rows of one chunk of a file, at the most, and its bytes uncompressed as the footer states them; a row group that
     * is larger by itself makes chunks of up to four times as many. What a chunk takes of memory and disk does not
     * depend on it: its rows come in pieces.
     */
    chunkRows: read.integer('CHUNK_ROWS', 500_000, 2048, 100_000_000),
    chunkBytes: read.integer('CHUNK_MB', 128, 1, 4096) * MiB,
    /**
     * Bytes that one chunk may become on its way to PostgreSQL. The footer does not tell: 36 kB of parquet, 1 MB by
     * its footer, became 20 GB of repeated texts. An honest chunk of 500,000 rows and 1,000 columns stays below 8
     * GB.
     */
    chunkExpandedBytes: read.integer('CHUNK_EXPANDED_MAX_MB', 8192, 1, 1_000_000) * MiB,
    /** Messages of one job that may stand in the queue at once: a huge file never starves small ones. */
    chunksReleased: read.integer('CHUNKS_RELEASED', 8, 1, 1000),
    /** How long a source may be silent, and how slow it may be on the average of that time, in bytes a second. */
    sourceIdleMs: read.integer('SOURCE_IDLE_SECONDS', 20, 1, 600) * 1000,
    sourceLeastBytes: read.integer('SOURCE_MIN_KB_SECOND', 4, 0, 1_000_000) * 1024,
    /** The end of a file, fetched first in the hope that the whole footer is in it; a small file comes whole. */
    tailBytes: 256 * 1024,
    footerBytes: 64 * MiB,
    /**
     * Bytes of a chunk that are fetched together, as they stand in the file; a row group is never divided. A thread
     * has two pieces on its disk: one is read while the next is fetched.
     */
    pieceBytes: 8 * MiB,
    /** Footers that a thread remembers, of the files that it has chunks of; each with the tail that it came in. */
    openedBytes: 16 * MiB,
    fileBytes: read.integer('FILE_MAX_GB', 1024, 1, 100_000) * 1024 * MiB,
    /** What a file may become: 1 MB of gzip can stand for 1 GB. Of parquet its footer states it. */
    fileExpandedBytes: read.integer('FILE_EXPANDED_MAX_GB', 1024, 1, 100_000) * 1024 * MiB,
    /** A larger avro file is read twice: for where its blocks begin, and then by several threads. */
    avroSplitBytes: read.integer('AVRO_SPLIT_MB', 64, 1, 1_000_000) * MiB,
    /** A PostgreSQL table has 1,600 columns; a file may have some more. One of 100,000 takes a thread for minutes. */
    fileColumns: read.integer('FILE_MAX_COLUMNS', 20_000, 1, 1_000_000),
    fileRows: read.integer('FILE_MAX_ROWS', 2_000_000_000, 1, 1_000_000_000_000),
  }
}

/** How rows go into their table. */
function loadBounds(read: Read) {
  return {
    /**
     * A file of one chunk and so many rows is loaded in one transaction, without a stage that others could see. For
     * longer ones it is worth while that the phases show, and that nothing waits with a transaction open.
     */
    directRows: read.integer('DIRECT_ROWS', 50_000, 0, 1_000_000),
    /**
     * A larger file of at most so many rows goes into an empty table by one COPY, on one connection: for longer ones
     * several threads and connections are worth while, and a try that fails late costs too much.
     */
    firstLoadRows: read.integer('FIRST_LOAD_ROWS', 5_000_000, 0, 1_000_000_000),
    /**
     * Rows that are larger on the average, as the footer states it, are left to several connections: a row above 2 kB
     * is compressed on its way into the table, by the backend. 120,000 texts of 2 kB took 4.27 s on one, 3.64 s on two.
     */
    firstLoadRowBytes: 1024,
    /** How long that transaction waits for earlier jobs of the figura, before the rows are staged to wait alone. */
    directTurnMs: 200,
    /**
     * Connections that a large MERGE runs on, where the server allows prepared transactions; each scans the whole
     * table for its join. One for each core that PostgreSQL can spare; on two cores 2 took 1.85 s for what 1 took
     * 2.97 s.
     */
    mergeConnections: read.integer('MERGE_CONNECTIONS', 2, 1, 32),
    /** Rows that make a connection worth while: below, preparing and deciding cost more than they save. */
    mergePartRows: read.integer('MERGE_PART_ROWS', 100_000, 1, 1_000_000_000),
    /** The same for few rows that are large: 120,000 texts of 3 kB, which are compressed on their way, took 3.7 s. */
    mergePartBytes: 32 * MiB,
    /**
     * PostgreSQL's memory for the join of each of these connections, times hash_mem_multiplier (2). A hash table
     * that does not fit is cut into batches, which then read the table in no order: 2,000,000 equal rows took 4.0 s
     * with 4 MB and 2.97 s with 64 MB.
     */
    mergeWorkMemBytes: read.integer('MERGE_WORK_MEM_MB', 64, 1, 65536) * MiB,
    /** How long a part of a large MERGE waits for a lock, before all is done in one transaction that waits for ever. */
    mergeLockMs: 2000,
    /** DuckDB's own buffers, per thread. */
    duckdbBytes: read.integer('DUCKDB_MEMORY_MB', 512, 64, 65536) * MiB,
  }
}

/** How long things take, and how often they are tried. */
function jobBounds(read: Read) {
  return {
    /** A worker that has not said a word for so long has lost the job to whoever claims it next. */
    leaseMs: read.integer('LEASE_SECONDS', 30, 1, 400) * 1000,
    /** How often each node looks for jobs that stand still. */
    sweepMs: read.integer('SWEEP_SECONDS', 5, 1, 3600) * 1000,
    /** Times that a job may be claimed before it ends in `erro`. */
    attempts: read.integer('ATTEMPTS', 5, 1, 100),
    /** How long a job may take from its first claim, whatever its figura says; then it ends in `erro`. */
    jobMs: read.integer('JOB_MAX_SECONDS', 86_400, 1, 2_592_000) * 1000,
    /** How long a source may fail without a word of it in between, before its job is given up. */
    sourceMs: read.integer('SOURCE_PATIENCE_SECONDS', 900, 0, 86_400) * 1000,
    ...keepingBounds(read),
    /** How long a stop waits for what is running. */
    drainMs: read.integer('DRAIN_SECONDS', 25, 1, 3600) * 1000,
  }
}

/** How long things are kept. */
function keepingBounds(read: Read) {
  const jobsDays = read.integer('JOBS_DAYS', 90, 1, 36_500)
  return {
    /** How long a job, its log and its files' names can be read after its end. */
    jobsDays,
    /** How long rows that were left out can be read; never longer than their job. */
    rejectsDays: Math.min(read.integer('REJECTS_DAYS', 30, 1, 36_500), jobsDays),
    /** How long a change of a job's status stands in the stream of events. */
    eventsDays: read.integer('EVENTS_DAYS', 7, 1, 3650),
    /** How long a request that is sent again with its Idempotency-Key has the answer of the first one. */
    idempotencyMs: read.integer('IDEMPOTENCY_HOURS', 24, 1, 8760) * 3_600_000,
  }
}

const MiB = 1024 * 1024

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (inner && typeof inner === 'object') deepFreeze(inner)
  return Object.freeze(value)
}
