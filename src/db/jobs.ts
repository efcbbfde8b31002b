import type { Figura, Mode } from '../figura/types.ts'
import type { DryRun, Format, Phase, Status, WaitReason } from '../job.ts'
import type { Problem } from '../errors.ts'
import { keepOnce, type Once } from './idempotency.ts'
import { withoutWaiting } from './locks.ts'
import { lastBegun } from './pause.ts'
import { storable, storableText, type Sql, type Transaction } from './postgres.ts'

/** A job as its row has it. Times are PostgreSQL's; sizes in bytes, durations in milliseconds. */
export type Job = {
  id: string
  seq: number
  figura: string
  contract: string
  status: Status
  phase: Phase | null
  /** The address; of several files the first, or the pattern that they were found by. */
  url: string
  /** The addresses of several files; null: the one above. */
  urls: string[] | null
  sha256: string | null
  /** What was asked for with the file, else what the figura says; null, as of older jobs: what the figura says. */
  mode: Mode | null
  dryRun: DryRun | null
  format: Format | null
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  stagingAt: Date | null
  attempts: number
  ring: number
  stage: number | null
  mergeTry: number
  /** Transaction ids of a merge's parts that are to be committed; null as long as nothing is decided. */
  decision: string[] | null
  bytes: number | null
  rows: number | null
  rowGroups: number | null
  etag: string | null
  chunksTotal: number
  chunksDone: number
  rowsDone: number
  checksTotal: number
  checksDone: number
  /** Rows that were left out so far. */
  rowsRejected: number
  read: number | null
  rejected: number | null
  duplicates: number | null
  staged: number | null
  inserted: number | null
  updated: number | null
  unchanged: number | null
  stale: number | null
  deleted: number | null
  removed: number | null
  impact: Record<string, unknown> | null
  planMs: number | null
  stageMs: number | null
  mergeMs: number | null
  error: Problem | null
  /** The job that this one does again. */
  retryOf: string | null
  deadlineAt: Date | null
  /** Why the last try was put off; times as PostgreSQL writes them in JSON. */
  waiting: { reason: WaitReason; detail: string; since: string; until: string } | null
  /** The id of the key that it came by; null: the service asked for none. */
  caller: string | null
  /** Its addresses had a part that was kept secret, and that is gone. */
  hadSecret: boolean
}

/** Keeps the contract (the figura as it is now) under its hash; once kept, it never changes. */
export async function saveContract(sql: Sql, contract: { hash: string; figura: Figura }): Promise<void> {
  await sql`
    insert into bulk.contract (hash, figura, definition)
    values (${contract.hash}, ${contract.figura.name}, ${JSON.stringify(contract.figura)}::text::json)
    on conflict (hash) do nothing
  `
}

/** A job as it is accepted. What is absent was not said. */
export type NewJob = Pick<Job, 'id' | 'figura' | 'contract' | 'url' | 'sha256'> &
  Partial<Pick<Job, 'urls' | 'etag' | 'mode' | 'dryRun' | 'caller' | 'retryOf'>> & {
    /** The queries of the addresses, sealed. The addresses themselves come without them. */
    secret?: Uint8Array | null
  }

/**
 * Accepts a job. Once this has returned, the job cannot be lost. With `once` the key of its request is kept by the same
 * statement: false when the key has a job already, and then nothing is done.
 */
export async function insertJob(sql: Sql, job: NewJob, once?: Once): Promise<boolean> {
  const { urls = null, etag = null, mode = null, dryRun = null } = job
  const { caller = null, secret = null, retryOf = null } = job
  const { count } = await sql`
    with kept as (${once ? keepOnce(sql, once, job.id) : sql`select`})
    insert into bulk.job (
      id, figura, contract, url, urls, sha256, etag, mode, dry_run, caller, secret, retry_of
    )
    select
      ${job.id}, ${job.figura}, ${job.contract}, ${job.url}, ${urls}, ${job.sha256}, ${etag}, ${mode}, ${dryRun},
      ${caller}, ${secret}, ${retryOf}
    from kept
  `
  return count === 1
}

/** A job, and since when its figura is paused. */
export type FoundJob = Job & { pausedAt: Date | null }

/**
 * The job of that figura with that id; a job of another figura is not found. The pause comes along: asked for by
 * itself a status was answered 0.66 times as often as by a bare route, so 1.02 times.
 */
export async function findJob(sql: Sql, figura: string, id: string): Promise<FoundJob | undefined> {
  const [job] = await sql<FoundJob[]>`
    select job.*, (select at from bulk.pause where pause.figura = job.figura) as paused_at
    from bulk.job where id = ${id} and figura = ${figura}`
  return job
}

/** Up to `limit` jobs of a figura, newest first, older than the job `before`. */
export async function listJobs(
  sql: Sql,
  figura: string,
  { status, before, limit }: { status: Status | undefined; before: string | undefined; limit: number },
): Promise<Job[]> {
  return sql<Job[]>`
    select * from bulk.job
    where figura = ${figura}
      ${status ? sql`and status = ${status}` : sql``}
      ${before ? sql`and id < ${before}` : sql``}
    order by id desc
    limit ${limit}
  `
}

/**
 * How many jobs of a figura, or that came by a key (`caller`), have not ended; it is not counted further than `most`.
 */
export async function countLive(
  sql: Sql,
  of: { figura: string } | { caller: string },
  most: number,
): Promise<number> {
  const whose = 'figura' in of ? sql`figura = ${of.figura}` : sql`caller = ${of.caller}`
  const [row] = await sql<{ jobs: number }[]>`
    select count(*) as jobs from (
      select from bulk.job where ${whose} and status in ('enfileirado', 'processando') limit ${most}
    ) live
  `
  return row?.jobs ?? 0
}

export type LogLine = {
  at: Date
  level: 'info' | 'warn' | 'error'
  node: string
  thread: number | null
  attempt: number
  phase: string | null
  message: string
  ms: number | null
  data: Record<string, unknown> | null
}

/** Up to `limit` lines of a job's log, in order. */
export async function readJobLog(sql: Sql, job: string, limit: number): Promise<LogLine[]> {
  return sql<LogLine[]>`
    select at, level, node, thread, attempt, phase, message, ms, data
    from bulk.job_log where job = ${job} order by id limit ${limit}
  `
}

/**
 * Adds a line to a job's log. Within a transaction it is committed as that is: what ends a job waits for the disk,
 * since a crash of PostgreSQL would else bring a job back whose end was answered.
 */
export async function writeJobLog(
  sql: Sql | Transaction,
  job: string,
  line: Omit<LogLine, 'at'>,
): Promise<void> {
  const message = storableText(line.message)
  const data = line.data === null ? null : sql.json(storable(line.data))
  await sql`
    insert into bulk.job_log (job, level, node, thread, attempt, phase, message, ms, data)
    select ${job}, ${line.level}, ${line.node}, ${line.thread}, ${line.attempt}, ${line.phase}, ${message},
           ${line.ms}, ${data}
    ${'savepoint' in sql ? sql`` : sql`from ${withoutWaiting(sql)}`}
  `
}

/**
 * Takes the jobs that nobody has moved for a while, counts a ring for each, and gives them back to be rung for.
 * Any number of nodes may do this at once: `skip locked` gives each job to one of them.
 * @param overdueMs how long past its time a job must be; 0 when the queue is empty, more when its message may yet
 * come
 * @param after for a round over all jobs, which comes to each once: takes in the order of ids what comes after this
 * one. Their next ring is not put off by how often they were rung, since it is no fault of theirs
 */
export async function takeStalled(
  sql: Sql,
  { overdueMs, nextMs, limit, after }: { overdueMs: number; nextMs: number; limit: number; after?: string },
): Promise<{ id: string; figura: string; ring: number }[]> {
  return sql`
    with paused as materialized (
      select figura, ${lastBegun(sql, sql`pause.figura`)} as last_begun from bulk.pause
    )
    update bulk.job set
      ring = ring + 1,
      ring_at = now() + least(${nextMs} * power(2, ${after ? sql`0` : sql`least(ring, 10)`}), 600000)
        * interval '1 millisecond'
    where id in (
      select id from bulk.job
      where status in ('enfileirado', 'processando')
        and ring_at <= now() - ${overdueMs} * interval '1 millisecond'
        and not (status = 'enfileirado' and exists (
          select from paused where paused.figura = job.figura and paused.last_begun < job.seq
        ))
        ${after ? sql`and id > ${after}` : sql``}
      order by ${after ? sql`id` : sql`ring_at`}
      limit ${limit}
      for update skip locked
    )
    returning id, figura, ring
  `
}
