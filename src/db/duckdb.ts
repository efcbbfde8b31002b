import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { DuckDBConnection } from '@duckdb/node-api'
import duckdb, {
  type Connection,
  type DataChunk,
  type PreparedStatement,
  type Result,
} from '@duckdb/node-bindings'
import { duckLiteral } from '../quote.ts'

/**
 * One in-memory DuckDB with one connection, for one thread and its whole life. One thing at a time: a query
 * on the connection of an open stream would end the stream as if it were at its end.
 */
export type Duckdb = {
  /**
   * All rows, for small results: bigint and hugeint as bigint, decimal as number, date and timestamp as Date.
   */
  query<Row = Record<string, unknown>>(sql: string): Promise<Row[]>
  /**
   * The raw chunks of a result, at most 2,048 rows each. While one is used the next is fetched on the native
   * pool, so that DuckDB decodes on another core. A chunk is valid only until the next is asked for; then it
   * is emptied, since its strings would else stay in memory until the garbage collector finds it.
   */
  stream(sql: string): AsyncGenerator<DataChunk, void, void>
  /** Ends what is running with an error, within milliseconds. */
  interrupt(): void
  /**
   * Interrupts and waits for what is running, then closes: a thread that ends beside a call takes the process
   * with it.
   */
  close(): Promise<void>
}

/**
 * Opens a DuckDB that can read what is in `workDir`, and nothing else: no other file, no network, no
 * extension.
 */
export async function openDuckdb({
  workDir,
  memoryBytes,
}: {
  workDir: string
  memoryBytes: number
}): Promise<Duckdb> {
  const database = await duckdb.open(':memory:')
  const connection = await duckdb.connect(database)
  for (const statement of settings(workDir, memoryBytes)) await duckdb.query(connection, statement)
  const session: Session = {
    connection,
    streaming: false,
    interrupted: false,
    closed: false,
    garbageBytes: 0,
    calls: new Set(),
  }
  return {
    query: async <Row>(sql: string) => {
      if (session.streaming) throw new Error('A stream of this DuckDB is open; a query would cut it short')
      return track(session, () => readRows(session, sql)) as Promise<Row[]>
    },
    stream: (sql) => stream(session, sql),
    interrupt: () => interrupt(session),
    close: async () => {
      if (session.closed) return
      session.closed = true
      await stop(session)
      duckdb.disconnect_sync(connection)
      duckdb.close_sync(database)
    },
  }
}

type Session = {
  connection: Connection
  streaming: boolean
  interrupted: boolean
  closed: boolean
  /** Of chunks that were emptied, since the last collection. */
  garbageBytes: number
  /** What is with the native pool now. */
  calls: Set<Promise<unknown>>
}

/** What a query may spill to disk, as a multiple of its memory. */
const TEMP_FACTOR = 16

/**
 * In this order: the last three lock the door, and DuckDB refuses to change the others afterwards.
 * As options of open(), allowed_directories fails with "Failed to set config".
 */
function settings(workDir: string, memoryBytes: number): string[] {
  return [
    // the thread that asks does the work; threads of DuckDB's own would take the cores from other jobs
    `set threads = 1`,
    `set memory_limit = '${memoryBytes} bytes'`,
    `set temp_directory = ${duckLiteral(join(workDir, `duckdb-${randomUUID()}`))}`,
    `set max_temp_directory_size = '${memoryBytes * TEMP_FACTOR} bytes'`,
    `set TimeZone = 'UTC'`,
    // The rows that wait for us are counted without their texts: the default of 1 MB was 10 chunks of 2 GB
    // each for a file of texts of 1 MB. One chunk waits beside the one in use; 19 GB became 4 GB.
    `set streaming_buffer_size = '1kB'`,
    // of two equal parts of a statement it makes one, and works that out before both: outside of the try() of either
    `set disabled_optimizers = 'common_subexpressions'`,
    // row numbers in errors are those of the file
    `set preserve_insertion_order = true`,
    // a sparse file is filled between queries: what was a hole must not be remembered as data
    `set enable_external_file_cache = false`,
    `set parquet_metadata_cache = false`,
    `set autoinstall_known_extensions = false`,
    `set autoload_known_extensions = false`,
    `set allow_community_extensions = false`,
    `set allow_persistent_secrets = false`,
    `set allowed_directories = [${duckLiteral(join(workDir, '/'))}]`,
    `set enable_external_access = false`,
    `set lock_configuration = true`,
  ]
}

async function* stream(session: Session, sql: string): AsyncGenerator<DataChunk, void, void> {
  if (session.streaming) throw new Error('A stream of this DuckDB is open already')
  session.streaming = true
  session.interrupted = false
  let prepared: PreparedStatement | undefined
  let result: Result | undefined
  let next: Promise<DataChunk | undefined> | undefined
  try {
    const statement = await track(session, () => duckdb.prepare(session.connection, sql))
    prepared = statement
    result = await track(session, () => duckdb.execute_prepared_streaming(statement))
    next = fetchChunk(session, result)
    for (let chunk = await next; chunk !== undefined; chunk = await next) {
      if (session.closed) throw closed()
      next = fetchChunk(session, result)
      yield chunk
      duckdb.data_chunk_reset(chunk)
      session.garbageBytes += duckdb.data_chunk_get_column_count(chunk) * CHUNK_VALUES_BYTES
      if (session.garbageBytes > GARBAGE_BYTES) collect(session)
    }
    next = undefined
    if (duckdb.result_return_type(result) === FAILED) throw await failure(session, sql)
  } finally {
    if (result && next) await leave(session, result, next)
    // it keeps the file open, and its buffers, until the garbage collector comes upon it
    if (prepared && !session.closed) duckdb.destroy_prepare_sync(prepared)
    session.streaming = false
  }
}

/** What an emptied chunk still holds for each column: 2,048 values of up to 16 bytes. */
const CHUNK_VALUES_BYTES = 2048 * 16

/**
 * The vectors of so much are let stand before they are collected: JavaScript's own heap hardly grows by them, so its
 * collector does not come by itself. 2 to 5 ms each time; a worker with chunks of 500,000 rows had its peak at 383 MB.
 */
const GARBAGE_BYTES = 16 * 1024 * 1024

function collect(session: Session): void {
  session.garbageBytes = 0
  Bun.gc(true)
}

/** A result that has an error has no type any more. */
const FAILED = duckdb.ResultType.INVALID

/**
 * The next chunk; undefined at the end, and also when the query has failed, which the bindings do not tell
 * apart.
 */
function fetchChunk(session: Session, result: Result): Promise<DataChunk | undefined> {
  return track(session, async () => {
    const chunk = await duckdb.fetch_chunk(result)
    return chunk !== null && duckdb.data_chunk_get_size(chunk) > 0 ? chunk : undefined
  })
}

/**
 * Why a stream ended before its end. The bindings hide it: fetch_chunk() answers an empty chunk, and
 * duckdb_result_error is not exposed. So the query is run again, hashed down to one row, for its error.
 */
async function failure(session: Session, sql: string): Promise<Error> {
  if (session.interrupted || session.closed) return new Error('INTERRUPT Error: Interrupted!')
  try {
    await track(session, () => readRows(session, `select max(hash(every_row)) from (${sql}) as every_row`))
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
  return new Error('DuckDB ended a stream early, and did not fail when the query was repeated')
}

/**
 * Ends a query whose rest nobody wants: until its end is fetched it would keep its memory, and the
 * connection.
 */
async function leave(session: Session, result: Result, next: Promise<DataChunk | undefined>): Promise<void> {
  interrupt(session)
  let chunk = await next.catch(() => undefined)
  while (chunk !== undefined && !session.closed) {
    // emptied at once, and interrupted again: an interruption reaches only the call that is running, and ten
    // chunks of texts of 1 MB that nobody wanted took 19 GB
    duckdb.data_chunk_reset(chunk)
    const rest = fetchChunk(session, result)
    interrupt(session)
    chunk = await rest.catch(() => undefined)
  }
}

function interrupt(session: Session): void {
  session.interrupted = true
  if (!session.closed) duckdb.interrupt(session.connection)
}

async function readRows(session: Session, sql: string): Promise<Record<string, unknown>[]> {
  const reader = await new DuckDBConnection(session.connection).runAndReadAll(sql)
  return reader.getRowObjectsJS()
}

/**
 * Starts a call and remembers it, for close() to wait for. A rejection is the caller's to see, when it comes
 * to that.
 */
function track<T>(session: Session, start: () => Promise<T>): Promise<T> {
  const call = session.closed ? Promise.reject<T>(closed()) : start()
  session.calls.add(call)
  const forget = () => session.calls.delete(call)
  call.then(forget, forget)
  return call
}

function closed(): Error {
  return new Error('DuckDB was closed')
}

/** Interrupts until it is heard: a call that waits for the native pool forgets what came before its start. */
async function stop(session: Session): Promise<void> {
  duckdb.interrupt(session.connection)
  const again = setInterval(() => duckdb.interrupt(session.connection), 10)
  await Promise.allSettled(session.calls)
  clearInterval(again)
}
