import type { Format } from '../job.ts'
import type { Chunk } from './claims.ts'
import type { Sql, Transaction } from './postgres.ts'

/** The facts of a file and the cut that was made of it. */
type Planned = {
  bytes: number
  /** Null: not known before all is read. */
  rows: number | null
  rowGroups: number
  etag: string | null
  /** Null: of several. */
  format: Format | null
  planMs: number
  chunks: (Chunk & { released: boolean })[]
}

/** Records the plan of attempt `attempt`; its number becomes the stage's. False: the job is no longer ours. */
export async function recordPlan(
  tx: Transaction,
  { job, attempt }: { job: string; attempt: number },
  plan: Planned,
): Promise<boolean> {
  const rowChunks = plan.chunks.filter((chunk) => chunk.kind === 'rows').length
  const { count } = await tx`
    update bulk.job set
      waiting = null,
      stage = attempts, phase = 'stage', bytes = ${plan.bytes}, rows = ${plan.rows}, row_groups = ${plan.rowGroups},
      etag = ${plan.etag}, format = ${plan.format}, chunks_total = ${rowChunks}, chunks_done = 0, rows_done = 0,
      rows_rejected = 0,
      checks_total = ${plan.chunks.length - rowChunks}, checks_done = 0,
      plan_ms = ${plan.planMs}, stage_ms = null, staging_at = clock_timestamp()
    where id = ${job} and attempts = ${attempt} and status = 'processando'
  `
  if (count !== 1) return false
  await tx`delete from bulk.chunk where job = ${job}`
  const rows = plan.chunks.map((chunk) => ({
    job,
    stage: attempt,
    no: chunk.no,
    kind: chunk.kind,
    row_start: chunk.rowStart,
    row_end: chunk.rowEnd,
    file: chunk.file,
    byte_start: chunk.byteStart,
    byte_end: chunk.byteEnd,
    released: chunk.released,
  }))
  // PostgreSQL takes 65,535 parameters a statement; 10 a row
  for (let at = 0; at < rows.length; at += 6000)
    await tx`insert into bulk.chunk ${tx(rows.slice(at, at + 6000))}`
  return true
}

/** A chunk that is done: rows that were read, left out, and staged (`rows`). */
export type Mark = { no: number; kind: Chunk['kind']; rows: number; read: number; rejected: number }

/**
 * How far the stage is after a mark. `last`: this mark was the last one missing, so the merge is ours to do.
 * `read` and `rejected`: rows that the job has read and left out so far.
 */
export type Marked =
  { kind: 'marked'; last: boolean; read: number; rejected: number; released: number[] } | { kind: 'lost' }

/**
 * Marks chunks as done, in the transaction that staged their rows. `lost`: one of them was done already or the stage
 * was given up, so the transaction must roll back, or its rows would count twice.
 * The job row's lock makes the marks of one job go one by one, so that exactly one of them is the last.
 */
export async function markDone(
  tx: Transaction,
  { job, stage, chunks }: { job: string; stage: number; chunks: Mark[] },
  { release }: { release: number },
): Promise<Marked> {
  for (const chunk of chunks) {
    const { count } = await tx`
      update bulk.chunk set
        done_at = clock_timestamp(), rows = ${chunk.rows}, read = ${chunk.read}, rejected = ${chunk.rejected}
      where job = ${job} and stage = ${stage} and no = ${chunk.no} and done_at is null
    `
    if (count !== 1) return { kind: 'lost' }
  }
  const staged = chunks.filter((chunk) => chunk.kind === 'rows')
  const sum = (count: (mark: Mark) => number) => staged.reduce((total, mark) => total + count(mark), 0)
  const [progress] = await tx<{ last: boolean; read: number; rejected: number }[]>`
    update bulk.job set
      waiting = null,
      chunks_done = chunks_done + ${staged.length},
      checks_done = checks_done + ${chunks.length - staged.length},
      rows_done = rows_done + ${sum(({ read }) => read)},
      rows_rejected = rows_rejected + ${sum(({ rejected }) => rejected)}
    where id = ${job} and stage = ${stage} and status = 'processando'
    returning chunks_done = chunks_total and checks_done = checks_total as last,
      rows_done as read, rows_rejected as rejected
  `
  if (!progress) return { kind: 'lost' }
  const released = await tx<{ no: number }[]>`
    update bulk.chunk set released = true
    where job = ${job} and stage = ${stage} and no in (
      select no from bulk.chunk where job = ${job} and stage = ${stage} and not released order by no limit ${release}
    )
    returning no
  `
  return { kind: 'marked', ...progress, released: released.map((row) => row.no) }
}

/** The marks of a stage, and the rows that they stand for: read from the file, copied, left out. */
type Marks = { total: number; done: number; read: number; staged: number; rejected: number }

/** Counts the marks of a stage; all zero when a crash of PostgreSQL has emptied it. */
export async function readMarks(sql: Sql | Transaction, job: string, stage: number): Promise<Marks> {
  const [marks] = await sql<Marks[]>`
    select
      count(*) as total,
      count(done_at) as done,
      coalesce(sum(coalesce(read, rows)) filter (where done_at is not null), 0)::bigint as read,
      coalesce(sum(rows) filter (where done_at is not null), 0)::bigint as staged,
      coalesce(sum(rejected) filter (where done_at is not null), 0)::bigint as rejected
    from bulk.chunk where job = ${job} and stage = ${stage}
  `
  return marks ?? { total: 0, done: 0, read: 0, staged: 0, rejected: 0 }
}

/** Chunks that are not done and that nobody holds: the first `limit` of them, marked as released. */
export async function releasePending(sql: Sql, job: string, stage: number, limit: number): Promise<number[]> {
  const rows = await sql<{ no: number }[]>`
    update bulk.chunk set released = true
    where job = ${job} and stage = ${stage} and no in (
      select no from bulk.chunk
      where job = ${job} and stage = ${stage} and done_at is null and (held_until is null or held_until <= now())
      order by no limit ${limit}
    )
    returning no
  `
  return rows.map((row) => row.no)
}

/**
 * Forgets a stage that was lost, so that the next claim plans anew. Gives the number of the doorbell that is due, and
 * of the last try to merge that stage; undefined when the job ended or somebody else did this.
 */
export async function forgetStage(
  sql: Sql,
  fence: { job: string; stage: number },
): Promise<{ ring: number; mergeTry: number } | undefined> {
  const [row] = await sql<{ ring: number; mergeTry: number }[]>`
    update bulk.job set
      stage = null, phase = 'plan', chunks_done = 0, checks_done = 0, rows_done = 0, rows_rejected = 0,
      ring = ring + 1, lease_until = now()
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando' and decision is null
    returning ring, merge_try
  `
  return row
}
