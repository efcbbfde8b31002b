import type { Figura } from '../figura/types.ts'
import type { Job } from './jobs.ts'
import { withoutWaiting } from './locks.ts'
import { lastBegun } from './pause.ts'
import type { Sql, Transaction } from './postgres.ts'

/**
 * A job together with the contract that it was accepted under, and the sealed queries of its addresses. `taken`: the
 * rows of the piece of work at hand, as long as no mark counts them.
 */
export type ClaimedJob = Job & {
  definition: Figura
  secret: Uint8Array | null
  taken?: { read: number; rejected: number }
}

/** What became of the wish to work on a job. `held`: somebody else does, for so long at the most. */
type JobClaim =
  | { kind: 'claimed'; job: ClaimedJob }
  | { kind: 'exhausted'; job: ClaimedJob }
  | { kind: 'held'; forMs: number }
  /** Its figura is paused, and it was never begun: it is rung for when that is over. */
  | { kind: 'paused' }
  | { kind: 'ended' }

/**
 * A doorbell's job; `orEarliest`: if that one was never begun, or needs nobody, the earliest of its figura that waits
 * to be begun. Jobs that are sent at the same time ring in any order, and who begins a later one first waits for the
 * earlier one's merge.
 */
type Wish = { job: string; figura: string; orEarliest: boolean }

/**
 * Claims a job, and counts the attempt before a byte of its file is parsed. Who claims owns the job until the lease
 * runs out. A job that only waits for its turn costs no attempt, nor does one whose chunks stand in a long queue (its
 * chunks count their own claims), nor one whose merge is decided and only has to be finished.
 */
export async function claimJob(
  sql: Sql,
  wish: Wish,
  limits: { leaseMs: number; attempts: number; jobMs: number },
): Promise<JobClaim> {
  const id = wish.job
  const [job] = await sql<ClaimedJob[]>`
    update bulk.job set
      status = 'processando',
      attempts = attempts + case when phase in ('wait', 'stage') or decision is not null then 0 else 1 end,
      -- without a stage a job is planned anew, whatever it was doing
      phase = case when stage is null then 'plan' else phase end,
      started_at = coalesce(started_at, clock_timestamp()),
      deadline_at = coalesce(deadline_at, ${deadline(sql, limits.jobMs)}),
      ${leased(sql, limits.leaseMs)}
    from ${withoutWaiting(sql)}
    where id = ${wish.orEarliest ? ownOrEarliest(sql, wish, limits) : sql`${id}`}
      and status in ('enfileirado', 'processando') and lease_until <= now() and not ${paused(sql, 'job')}
      and (attempts < ${limits.attempts} or phase in ('wait', 'stage') or decision is not null)
    returning job.*, (select definition from bulk.contract c where c.hash = job.contract) as definition
  `
  if (job) return { kind: 'claimed', job }
  const [found] = await sql<(ClaimedJob & { heldMs: number; exhausted: boolean; paused: boolean })[]>`
    select job.*, c.definition, extract(epoch from lease_until - now())::float8 * 1000 as held_ms,
      attempts >= ${limits.attempts} and coalesce(phase, 'plan') not in ('wait', 'stage') and decision is null
        as exhausted,
      ${paused(sql, 'job')} as paused
    from bulk.job join bulk.contract c on c.hash = job.contract
    where id = ${id} and status in ('enfileirado', 'processando')
  `
  if (!found) return { kind: 'ended' }
  if (found.paused) return { kind: 'paused' }
  if (found.heldMs > 0) return { kind: 'held', forMs: found.heldMs }
  // given back since the first question: it is claimed next time
  if (!found.exhausted) return { kind: 'held', forMs: 0 }
  return { kind: 'exhausted', job: found }
}

/** The doorbell's own job once it was begun; else the first in line. What somebody else is about to claim is passed. */
function ownOrEarliest(sql: Sql, { job, figura }: Wish, limits: { attempts: number }) {
  return sql`coalesce(
    (select id from bulk.job own where id = ${job} and status = 'processando' and lease_until <= now()),
    (
      select id from bulk.job first
      where figura = ${figura} and status in ('enfileirado', 'processando') and stage is null
        and lease_until <= now() and attempts < ${limits.attempts} and not ${paused(sql, 'first', sql`${figura}`)}
      order by seq limit 1 for update skip locked
    )
  )`
}

/**
 * Whether a job has yet to be begun, and its figura is paused. One that a later job waits for is begun all the same:
 * that one was begun before the pause, and would else wait for its end, or for the end of its own time.
 * @param figura the job's; where it is given apart, the jobs that were begun are looked for once for all rows
 */
function paused(sql: Sql, job: 'job' | 'first', figura = sql`${sql(job)}.figura`) {
  return sql`(
    ${sql(job)}.status = 'enfileirado' and exists (select from bulk.pause where pause.figura = ${figura})
    and ${sql(job)}.seq > ${lastBegun(sql, figura)}
  )`
}

/** When a job has to have ended that is claimed for the first time now: as its figura and the service say. */
function deadline(sql: Sql, jobMs: number) {
  return sql`clock_timestamp() + least(
    ${jobMs} * interval '1 millisecond',
    (select (definition #>> '{limits,maxSeconds}')::float8 from bulk.contract c where c.hash = job.contract)
      * interval '1 second'
  )`
}

/**
 * A chunk of work of a stage: rows of a file to stage, or a check of the whole file. Row numbers count from 0 in the
 * file, end exclusive; a chunk whose rows are not known before they are read ends at Number.MAX_SAFE_INTEGER.
 */
export type Chunk = {
  no: number
  kind: 'rows' | 'keys' | 'digest'
  /** The number of the file among those of the job. */
  file: number
  rowStart: number
  rowEnd: number
  /** Of a file that is cut by its bytes; null: it is not. */
  byteStart: number | null
  byteEnd: number | null
}

type ChunkClaim =
  | { kind: 'claimed'; job: ClaimedJob; chunk: Chunk; claims: number }
  | { kind: 'held'; forMs: number }
  | { kind: 'lost'; job: ClaimedJob }
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
      returning no, kind, file, row_start, row_end, byte_start, byte_end, claims
    )
    update bulk.job set
      ${leased(sql, leaseMs)}
    from held, ${withoutWaiting(sql)}
    where id = ${piece.job} and status = 'processando' and job.stage = ${piece.stage}
    returning job.*, held.*, (select definition from bulk.contract c where c.hash = job.contract) as definition
  `
  if (row) {
    const { no, kind, file, rowStart, rowEnd, byteStart, byteEnd, claims } = row
    return {
      kind: 'claimed',
      job: row,
      chunk: { no, kind, file, rowStart, rowEnd, byteStart, byteEnd },
      claims,
    }
  }
  const [found] = await sql<(ClaimedJob & { mark: 'lost' | 'done' | 'open'; heldMs: number | null })[]>`
    select job.*, (select definition from bulk.contract c where c.hash = job.contract) as definition,
      case when chunk.no is null then 'lost' when chunk.done_at is null then 'open' else 'done' end as mark,
      extract(epoch from chunk.held_until - now())::float8 * 1000 as held_ms
    from bulk.job left join bulk.chunk
      on chunk.job = job.id and chunk.stage = job.stage and chunk.no = ${piece.chunk}
    where job.id = ${piece.job} and job.stage = ${piece.stage} and job.status = 'processando'
  `
  if (!found || found.mark === 'done') return { kind: 'ended' }
  // the marks are there as long as the stage is: only a crash of PostgreSQL empties them
  if (found.mark === 'lost') return { kind: 'lost', job: found }
  return { kind: 'held', forMs: Math.max(found.heldMs ?? 0, 1000) }
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
      from ${withoutWaiting(sql)}
      where job = ${fence.job} and stage = ${fence.stage} and no = ${fence.chunk} and done_at is null
    `
  }
  const { count } = await sql`
    update bulk.job set
      ${leased(sql, leaseMs)}
    from ${withoutWaiting(sql)}
    where id = ${fence.job} and status = 'processando' and ${fenced(sql, fence)}
  `
  return count === 1
}

/**
 * Gives a job (or a chunk of it) back, so that the next delivery can claim it: at once, or a job after `delayMs`,
 * whoever's doorbell rings meanwhile. `uncount`: the try that was counted at the claim is taken back, since a stop is
 * no failure.
 */
export async function releaseLease(
  sql: Sql,
  fence: Fence,
  { uncount = false, delayMs = 0 }: { uncount?: boolean; delayMs?: number } = {},
): Promise<void> {
  const tries = uncount ? 1 : 0
  if ('chunk' in fence && fence.chunk !== undefined) {
    await sql`
      update bulk.chunk set held_until = null, claims = claims - ${tries}
      where job = ${fence.job} and stage = ${fence.stage} and no = ${fence.chunk} and done_at is null
    `
  } else {
    await sql`
      update bulk.job set
        lease_until = now() + ${delayMs} * interval '1 millisecond',
        attempts = ${uncounted(sql, tries)}
      where id = ${fence.job} and ${fenced(sql, fence)}
    `
  }
}

/** The attempts without so many. A stage is named by the attempt that made it, and no later one may come below it. */
export function uncounted(sql: Sql, tries: number) {
  return sql`greatest(attempts - ${tries}::int, coalesce(stage, 0))`
}

/** The condition that a fence is. */
export function fenced(sql: Sql | Transaction, fence: Fence) {
  return 'attempt' in fence ? sql`attempts = ${fence.attempt}` : sql`stage = ${fence.stage}`
}

/** A lease from now on. The doorbell is due half a lease after it, should its holder fall silent. */
function leased(sql: Sql, leaseMs: number) {
  return sql`
    lease_until = now() + ${leaseMs} * interval '1 millisecond',
    ring_at = now() + ${leaseMs} * interval '1.5 milliseconds'`
}
