import type { Problem } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import type { Job } from './jobs.ts'
import type { Sql, Transaction } from './postgres.ts'

/** A job together with the contract that it was accepted under. */
export type ClaimedJob = Job & { definition: Figura }

/** What became of the wish to work on a job. `held`: somebody else does, for so long at the most. */
export type JobClaim =
  | { kind: 'claimed'; job: ClaimedJob }
  | { kind: 'exhausted'; job: ClaimedJob }
  | { kind: 'held'; forMs: number }
  | { kind: 'ended' }

/**
 * Claims a job, and counts the attempt before a byte of its file is parsed. Who claims owns the job until the lease
 * runs out. A job that only waits for its turn costs no attempt, nor does one whose chunks stand in a long queue: its
 * chunks count their own claims.
 */
export async function claimJob(
  sql: Sql,
  id: string,
  limits: { leaseMs: number; attempts: number },
): Promise<JobClaim> {
  const [job] = await sql<ClaimedJob[]>`
    update bulk.job set
      status = 'processando',
      attempts = attempts + case when phase in ('wait', 'stage') then 0 else 1 end,
      phase = coalesce(phase, 'plan'),
      started_at = coalesce(started_at, clock_timestamp()),
      lease_until = now() + ${limits.leaseMs} * interval '1 millisecond',
      ring_at = now() + ${limits.leaseMs} * interval '1.5 milliseconds'
    where id = ${id} and status in ('enfileirado', 'processando') and lease_until <= now()
      and attempts < ${limits.attempts}
    returning *, (select definition from bulk.contract c where c.hash = job.contract) as definition
  `
  if (job) return { kind: 'claimed', job }
  const [found] = await sql<(ClaimedJob & { heldMs: number })[]>`
    select job.*, c.definition, extract(epoch from lease_until - now())::float8 * 1000 as held_ms
    from bulk.job join bulk.contract c on c.hash = job.contract
    where id = ${id} and status in ('enfileirado', 'processando')
  `
  if (!found) return { kind: 'ended' }
  if (found.heldMs > 0) return { kind: 'held', forMs: found.heldMs }
  return { kind: 'exhausted', job: found }
}

/** A chunk of work of a stage: rows to stage, or a check of the whole file. Row numbers count from 0, end exclusive. */
export type Chunk = { no: number; kind: 'rows' | 'keys' | 'digest'; rowStart: number; rowEnd: number }

export type ChunkClaim =
  | { kind: 'claimed'; job: ClaimedJob; chunk: Chunk; claims: number }
  | { kind: 'held'; forMs: number }
  | { kind: 'ended' }

/** Claims a chunk of a job's present stage, and counts the claim before a byte is parsed. */
export async function claimChunk(
  sql: Sql,
  piece: { job: string; stage: number; chunk: number },
  { holder, leaseMs }: { holder: string; leaseMs: number },
): Promise<ChunkClaim> {
  const [row] = await sql<(ClaimedJob & Chunk & { claims: number })[]>`
    with held as (
      update bulk.chunk set
        claims = claims + 1, held_by = ${holder}, held_until = now() + ${leaseMs} * interval '1 millisecond'
      where job = ${piece.job} and stage = ${piece.stage} and no = ${piece.chunk} and done_at is null
        and (held_until is null or held_until <= now())
      returning no, kind, row_start, row_end, claims
    )
    update bulk.job set
      lease_until = now() + ${leaseMs} * interval '1 millisecond',
      ring_at = now() + ${leaseMs} * interval '1.5 milliseconds'
    from held
    where id = ${piece.job} and status = 'processando' and job.stage = ${piece.stage}
    returning job.*, held.*, (select definition from bulk.contract c where c.hash = job.contract) as definition
  `
  if (row) {
    const chunk = { no: row.no, kind: row.kind, rowStart: row.rowStart, rowEnd: row.rowEnd }
    return { kind: 'claimed', job: row, chunk, claims: row.claims }
  }
  const [open] = await sql<{ heldMs: number }[]>`
    select extract(epoch from c.held_until - now())::float8 * 1000 as held_ms
    from bulk.chunk c join bulk.job j on j.id = c.job and j.stage = c.stage and j.status = 'processando'
    where c.job = ${piece.job} and c.stage = ${piece.stage} and c.no = ${piece.chunk} and c.done_at is null
  `
  return open ? { kind: 'held', forMs: Math.max(open.heldMs, 1000) } : { kind: 'ended' }
}

/** What a worker must still own for its work to count: the attempt until there is a stage, then the stage. */
export type Fence = { job: string; attempt: number } | { job: string; stage: number; chunk?: number }

/**
 * Says that the holder is alive. False: the job ended or went to somebody else, and the work is to be dropped.
 * PostgreSQL's clock alone decides, since the clocks of workers lie.
 */
export async function renewLease(sql: Sql, fence: Fence, leaseMs: number): Promise<boolean> {
  if ('chunk' in fence && fence.chunk !== undefined) {
    await sql`
      update bulk.chunk set held_until = now() + ${leaseMs} * interval '1 millisecond'
      where job = ${fence.job} and stage = ${fence.stage} and no = ${fence.chunk} and done_at is null
    `
  }
  const { count } = await sql`
    update bulk.job set
      lease_until = now() + ${leaseMs} * interval '1 millisecond',
      ring_at = now() + ${leaseMs} * interval '1.5 milliseconds'
    where id = ${fence.job} and status = 'processando' and ${fenced(sql, fence)}
  `
  return count === 1
}

/** Gives a job (or a chunk of it) back, so that the next delivery can claim it at once. */
export async function releaseLease(sql: Sql, fence: Fence): Promise<void> {
  if ('chunk' in fence && fence.chunk !== undefined) {
    await sql`
      update bulk.chunk set held_until = null
      where job = ${fence.job} and stage = ${fence.stage} and no = ${fence.chunk}
    `
  } else {
    await sql`update bulk.job set lease_until = now() where id = ${fence.job} and ${fenced(sql, fence)}`
  }
}

/** The facts of a file and the cut that was made of it. */
export type Planned = {
  bytes: number
  rows: number
  rowGroups: number
  etag: string | null
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
      stage = attempts, phase = 'stage', bytes = ${plan.bytes}, rows = ${plan.rows}, row_groups = ${plan.rowGroups},
      etag = ${plan.etag}, chunks_total = ${rowChunks}, chunks_done = 0, rows_done = 0,
      checks_total = ${plan.chunks.length - rowChunks}, checks_done = 0,
      plan_ms = ${plan.planMs}, staging_at = clock_timestamp()
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
    released: chunk.released,
  }))
  // PostgreSQL takes 65,535 parameters a statement; 7 a row
  for (let at = 0; at < rows.length; at += 9000)
    await tx`insert into bulk.chunk ${tx(rows.slice(at, at + 9000))}`
  return true
}

/** How far the stage is after a mark. `last`: this mark was the last one missing, so the merge is ours to do. */
export type Marked = { kind: 'marked'; last: boolean; released: number[] } | { kind: 'lost' }

/**
 * Marks chunks as done, in the transaction that staged their rows. `lost`: one of them was done already or the stage
 * was given up, so the transaction must roll back, or its rows would count twice.
 * The job row's lock makes the marks of one job go one by one, so that exactly one of them is the last.
 */
export async function markDone(
  tx: Transaction,
  {
    job,
    stage,
    chunks,
  }: { job: string; stage: number; chunks: { no: number; kind: Chunk['kind']; rows: number }[] },
  { release }: { release: number },
): Promise<Marked> {
  for (const chunk of chunks) {
    const { count } = await tx`
      update bulk.chunk set done_at = clock_timestamp(), rows = ${chunk.rows}
      where job = ${job} and stage = ${stage} and no = ${chunk.no} and done_at is null
    `
    if (count !== 1) return { kind: 'lost' }
  }
  const staged = chunks.filter((chunk) => chunk.kind === 'rows')
  const [progress] = await tx<{ last: boolean }[]>`
    update bulk.job set
      chunks_done = chunks_done + ${staged.length},
      checks_done = checks_done + ${chunks.length - staged.length},
      rows_done = rows_done + ${staged.reduce((sum, chunk) => sum + chunk.rows, 0)}
    where id = ${job} and stage = ${stage} and status = 'processando'
    returning chunks_done = chunks_total and checks_done = checks_total as last
  `
  if (!progress) return { kind: 'lost' }
  const released = await tx<{ no: number }[]>`
    update bulk.chunk set released = true
    where job = ${job} and stage = ${stage} and no in (
      select no from bulk.chunk where job = ${job} and stage = ${stage} and not released order by no limit ${release}
    )
    returning no
  `
  return { kind: 'marked', last: progress.last, released: released.map((row) => row.no) }
}

/** The marks of a stage: how many there are, how many are set, and the rows that they stand for. */
export type Marks = { total: number; done: number; rows: number }

export async function readMarks(sql: Sql | Transaction, job: string, stage: number): Promise<Marks> {
  const [marks] = await sql<Marks[]>`
    select count(*) as total, count(done_at) as done, coalesce(sum(rows) filter (where done_at is not null), 0)::bigint as rows
    from bulk.chunk where job = ${job} and stage = ${stage}
  `
  return marks ?? { total: 0, done: 0, rows: 0 }
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

/** True when an earlier job of the figura is still alive, so that this one has to wait for its turn. */
export async function hasEarlier(
  sql: Sql | Transaction,
  job: { figura: string; seq: number },
): Promise<boolean> {
  const [row] = await sql<{ waits: boolean }[]>`
    select exists (
      select from bulk.job
      where figura = ${job.figura} and seq < ${job.seq} and status in ('enfileirado', 'processando')
    ) as waits
  `
  return row?.waits ?? false
}

/** Says what the job is doing now. `wait` gives the lease back, and costs no doorbell for ten minutes. */
export async function setPhase(
  sql: Sql,
  fence: { job: string; stage: number },
  phase: 'wait' | 'merge',
): Promise<boolean> {
  const { count } = await sql`
    update bulk.job set
      phase = ${phase},
      stage_ms = coalesce(stage_ms, extract(epoch from clock_timestamp() - staging_at) * 1000),
      lease_until = case when ${phase === 'wait'} then now() else lease_until end,
      ring_at = case when ${phase === 'wait'} then now() + interval '10 minutes' else ring_at end
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando'
  `
  return count === 1
}

/** The next job of the figura, if it stands staged and waits for its turn. */
export async function nextWaiting(
  sql: Sql,
  figura: string,
): Promise<{ id: string; stage: number; ring: number } | undefined> {
  const [row] = await sql<{ id: string; stage: number; ring: number; phase: string }[]>`
    select id, stage, ring, phase from bulk.job
    where figura = ${figura} and status in ('enfileirado', 'processando')
    order by seq limit 1
  `
  return row?.phase === 'wait' ? row : undefined
}

export type MergeStats = {
  read: number
  inserted: number
  updated: number
  unchanged: number
  mergeMs: number
}

/** Ends the job well, in the transaction of its MERGE. False: the job is no longer ours, and the MERGE must roll back. */
export async function completeJob(
  tx: Transaction,
  fence: { job: string; stage: number },
  stats: MergeStats,
): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set
      status = 'completo', phase = null, finished_at = clock_timestamp(),
      read = ${stats.read}, inserted = ${stats.inserted}, updated = ${stats.updated}, unchanged = ${stats.unchanged},
      merge_ms = ${stats.mergeMs}
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando'
  `
  if (count !== 1) return false
  await tx`delete from bulk.chunk where job = ${fence.job}`
  return true
}

/** Ends the job in `erro`. False: it had ended before, or belongs to somebody else by now. */
export async function failJob(tx: Transaction, fence: Fence, problem: Problem): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set
      status = 'erro', phase = null, finished_at = clock_timestamp(), error = ${tx.json(JSON.parse(JSON.stringify(problem)))}
    where id = ${fence.job} and status in ('enfileirado', 'processando') and ${fenced(tx, fence)}
  `
  if (count !== 1) return false
  await tx`delete from bulk.chunk where job = ${fence.job}`
  return true
}

/** Forgets a stage that was lost, so that the next claim plans anew. */
export async function forgetStage(sql: Sql, fence: { job: string; stage: number }): Promise<void> {
  await sql`
    update bulk.job set stage = null, phase = 'plan', lease_until = now()
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando'
  `
}

function fenced(sql: Sql | Transaction, fence: Fence) {
  return 'attempt' in fence ? sql`attempts = ${fence.attempt}` : sql`stage = ${fence.stage}`
}
