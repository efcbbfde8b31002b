import type { Problem } from '../errors.ts'
import type { Format } from '../job.ts'
import { type ClaimedJob, fenced, type Fence } from './claims.ts'
import type { MergeFence } from './parts.ts'
import { inOrder, storable, type Sql, type Transaction } from './postgres.ts'

/** True when an earlier job of the figura is still alive, so that this one has to wait for its turn. */
export async function hasEarlier(
  sql: Sql | Transaction,
  job: { figura: string; seq: number },
): Promise<boolean> {
  return (await findEarlier(sql, job)) !== undefined
}

/** The first of the figura's jobs that were accepted before this one, and are still alive. */
export async function findEarlier(
  sql: Sql | Transaction,
  job: { figura: string; seq: number },
): Promise<{ id: string } | undefined> {
  const [row] = await sql<{ id: string }[]>`
    select id from bulk.job
    where figura = ${job.figura} and seq < ${job.seq} and status in ('enfileirado', 'processando')
    order by seq limit 1
  `
  return row
}

/** Lets the job wait for its turn: gives the lease back, and costs no doorbell for ten minutes. */
export async function waitForTurn(sql: Sql, fence: { job: string; stage: number }): Promise<boolean> {
  const { count } = await sql`
    update bulk.job set
      phase = 'wait', lease_until = now(), ring_at = now() + interval '10 minutes',
      stage_ms = coalesce(stage_ms, extract(epoch from clock_timestamp() - staging_at) * 1000)
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando' and decision is null
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

/**
 * The statistics of a job. read = rejected + duplicates + staged; staged = inserted + updated + unchanged + stale +
 * deleted; `removed` are rows of the table that the file lacked. Null: nothing was merged, as in a trial.
 */
export type MergeStats = {
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
  mergeMs: number | null
}

/** What a load would do: the numbers of its statistics, and the first of the rows that it would update. */
export type Impact = {
  inserted: number
  updated: number
  unchanged: number
  stale: number
  deleted: number
  removed: number
  samples: {
    key: Record<string, unknown>
    changed: string[]
    before: Record<string, unknown>
    after: Record<string, unknown>
  }[]
}

/** The statistics as assignments to the job's columns. */
export function statistics(sql: Sql | Transaction, stats: MergeStats) {
  return sql`
    read = ${stats.read}, rejected = ${stats.rejected}, duplicates = ${stats.duplicates}, staged = ${stats.staged},
    inserted = ${stats.inserted}, updated = ${stats.updated}, unchanged = ${stats.unchanged},
    stale = ${stats.stale}, deleted = ${stats.deleted}, removed = ${stats.removed}, merge_ms = ${stats.mergeMs}`
}

/**
 * Ends the job well, in the transaction of its MERGE. False: the job is no longer ours, and the MERGE must roll
 * back.
 */
export async function completeJob(
  tx: Transaction,
  fence: { job: string; stage: number },
  { stats, impact = null }: { stats: MergeStats; impact?: Impact | null },
): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set
      status = 'completo', phase = null, finished_at = clock_timestamp(),
      ${statistics(tx, stats)}, impact = ${impact && inOrder(tx, impact)}, rows = coalesce(rows, ${stats.read})
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando' and decision is null
  `
  if (count !== 1) return false
  await tx`delete from bulk.chunk where job = ${fence.job}`
  await wakeNext(tx, fence.job)
  return true
}

/** The facts of a file that is planned, staged and merged in one transaction. */
type Loaded = {
  bytes: number
  rows: number
  rowGroups: number
  etag: string | null
  format: Format
  planMs: number
  stageMs: number
  checks: number
}

/** Ends a job well that never had a stage, in the transaction of its MERGE. False: the job is no longer ours. */
export async function completeDirect(
  tx: Transaction,
  fence: { job: string; attempt: number },
  { file, stats, impact = null }: { file: Loaded; stats: MergeStats; impact?: Impact | null },
): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set
      status = 'completo', phase = null, finished_at = clock_timestamp(),
      bytes = ${file.bytes}, rows = ${file.rows}, row_groups = ${file.rowGroups}, etag = ${file.etag},
      format = ${file.format}, chunks_total = 1, chunks_done = 1, rows_done = ${file.rows},
      checks_total = ${file.checks}, checks_done = ${file.checks},
      plan_ms = ${file.planMs}, stage_ms = ${file.stageMs},
      ${statistics(tx, stats)}, impact = ${impact && inOrder(tx, impact)}
    where id = ${fence.job} and attempts = ${fence.attempt} and status = 'processando' and stage is null
  `
  if (count !== 1) return false
  await wakeNext(tx, fence.job)
  return true
}

/** Ends a trial that only asked whether the files fit. False: the job is no longer ours. */
export async function completeDryRun(
  tx: Transaction,
  fence: { job: string; attempt: number },
  plan: Omit<Loaded, 'rows' | 'format' | 'stageMs' | 'checks'> & {
    rows: number | null
    format: Format | null
  },
): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set
      status = 'completo', phase = null, finished_at = clock_timestamp(),
      bytes = ${plan.bytes}, rows = ${plan.rows}, row_groups = ${plan.rowGroups}, etag = ${plan.etag},
      format = ${plan.format}, plan_ms = ${plan.planMs}
    where id = ${fence.job} and attempts = ${fence.attempt} and status = 'processando' and stage is null
  `
  if (count !== 1) return false
  await wakeNext(tx, fence.job)
  return true
}

/**
 * Decides that the parts of a merge count: from here on the job can only end well. False: somebody else has taken
 * the merge over, or the job ended, and the parts must be rolled back.
 */
export async function decideMerge(
  sql: Sql,
  fence: MergeFence,
  { xids, stats }: { xids: string[]; stats: MergeStats },
): Promise<boolean> {
  const { count } = await sql`
    update bulk.job set
      decision = ${xids}, ${statistics(sql, stats)}, rows = coalesce(rows, ${stats.read})
    where id = ${fence.job} and stage = ${fence.stage} and merge_try = ${fence.mergeTry}
      and status = 'processando' and decision is null
  `
  return count === 1
}

/** Takes a decision back, since parts of it are gone that were never committed. */
export async function reopenMerge(sql: Sql, fence: MergeFence): Promise<void> {
  await sql`
    update bulk.job set decision = null, merge_try = merge_try + 1
    where id = ${fence.job} and merge_try = ${fence.mergeTry} and status = 'processando'
  `
}

/** Ends a job whose decided parts are all committed. False: somebody else has done so. */
export async function completeDecided(tx: Transaction, fence: MergeFence): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set status = 'completo', phase = null, finished_at = clock_timestamp()
    where id = ${fence.job} and merge_try = ${fence.mergeTry} and status = 'processando' and decision is not null
  `
  if (count !== 1) return false
  await tx`delete from bulk.chunk where job = ${fence.job}`
  await wakeNext(tx, fence.job)
  return true
}

/** What is known of a job that fails, as far as it came. */
type Known = Partial<
  Pick<ClaimedJob, 'bytes' | 'rows' | 'rowGroups' | 'etag' | 'format' | 'planMs' | 'taken'>
>

/**
 * Ends the job in `erro`, with what was found out by then. False: it had ended before, belongs to somebody else by now,
 * or is decided to end well.
 */
export async function failJob(
  tx: Transaction,
  fence: Fence,
  problem: Problem,
  { bytes, rows, rowGroups, etag, format, planMs, taken }: Known = {},
): Promise<boolean> {
  const error = tx.json(storable(problem))
  // what a job without a stage says of rows that are done is the progress of those that are taken here
  const { count } = await tx`
    update bulk.job set
      status = 'erro', phase = null, finished_at = clock_timestamp(), error = ${error},
      dead_letter = ${isGivenUp(problem) ? 'due' : null},
      bytes = coalesce(bytes, ${bytes ?? null}), rows = coalesce(rows, ${rows ?? null}),
      row_groups = coalesce(row_groups, ${rowGroups ?? null}), etag = coalesce(etag, ${etag ?? null}),
      format = coalesce(format, ${format ?? null}), plan_ms = coalesce(plan_ms, ${planMs ?? null}),
      read = case when stage is null then ${taken?.read ?? null}
        else rows_done + ${taken?.read ?? 0}::bigint end,
      rejected = case when stage is null then ${taken?.rejected ?? null}
        else rows_rejected + ${taken?.rejected ?? 0}::bigint end
    where id = ${fence.job} and status in ('enfileirado', 'processando') and decision is null and ${fenced(tx, fence)}
  `
  if (count !== 1) return false
  await tx`delete from bulk.chunk where job = ${fence.job}`
  await wakeNext(tx, fence.job)
  return true
}

/** Whether nobody will try a job again that might have succeeded: then it is told on the stream of dead letters. */
function isGivenUp({ code }: Problem): boolean {
  return code === 'attempts_exhausted' || code === 'deadline_exceeded'
}

/**
 * A job has ended: the next one of its figura, if it waits for its turn, is due now. It is rung for at once by whoever
 * ended this job; should that word be lost, the sweeper rings in 10 s instead of 10 minutes.
 */
export async function wakeNext(tx: Transaction, ended: string): Promise<void> {
  await tx`
    update bulk.job set ring_at = least(ring_at, now() + interval '10 seconds')
    where phase = 'wait' and id = (
      select next.id from bulk.job next join bulk.job ended on ended.figura = next.figura
      where ended.id = ${ended} and next.status in ('enfileirado', 'processando')
      order by next.seq limit 1
    )
  `
}
