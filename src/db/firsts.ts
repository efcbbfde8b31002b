import type { Format } from '../job.ts'
import { statistics, wakeNext, type MergeStats } from './ends.ts'
import { withoutWaiting } from './locks.ts'
import type { Sql, Transaction } from './postgres.ts'

/** The attempt that loads a file straight into its table. */
type Fence = { job: string; attempt: number }

/** Says of a job what its file is, and that it goes into the table without a stage. False: it is no longer ours. */
export async function beginFirst(
  sql: Sql,
  fence: Fence,
  file: {
    bytes: number
    rows: number
    rowGroups: number
    etag: string | null
    format: Format
    planMs: number
    checks: number
  },
): Promise<boolean> {
  const { count } = await sql`
    update bulk.job set
      phase = 'merge', bytes = ${file.bytes}, rows = ${file.rows}, row_groups = ${file.rowGroups}, etag = ${file.etag},
      format = ${file.format}, chunks_total = 1, chunks_done = 0, rows_done = 0, checks_total = ${file.checks},
      checks_done = 0,
      plan_ms = ${file.planMs}, stage_ms = null
    from ${withoutWaiting(sql)}
    where id = ${fence.job} and attempts = ${fence.attempt} and status = 'processando' and stage is null
  `
  return count === 1
}

/** Says how many rows are on their way. */
export async function tellRows(sql: Sql, fence: Fence, rows: number): Promise<void> {
  await sql`
    update bulk.job set rows_done = ${rows} from ${withoutWaiting(sql)}
    where id = ${fence.job} and attempts = ${fence.attempt} and status = 'processando' and stage is null
  `
}

/** Ends the job well, in the transaction of its COPY. False: it is no longer ours, and the COPY must roll back. */
export async function completeFirst(tx: Transaction, fence: Fence, stats: MergeStats): Promise<boolean> {
  const { count } = await tx`
    update bulk.job set
      status = 'completo', phase = null, finished_at = clock_timestamp(),
      chunks_done = chunks_total, checks_done = checks_total, rows_done = rows,
      ${statistics(tx, stats)}
    where id = ${fence.job} and attempts = ${fence.attempt} and status = 'processando' and stage is null
  `
  if (count !== 1) return false
  await wakeNext(tx, fence.job)
  return true
}
