import { lockForMerge } from '../db/locks.ts'
import { insertedInTransaction, serverVersion, stageColumns } from '../db/targets.ts'
import type { Sql, Transaction } from '../db/postgres.ts'
import type { ClaimedJob } from '../db/claims.ts'
import { completeJob, type MergeStats } from '../db/ends.ts'
import { readMarks } from '../db/marks.ts'
import type { Column } from '../figura/types.ts'
import { JobLost } from './lease.ts'
import { countedMergeSql, dropStageSql, mergeSql, stageName } from './sql-postgres.ts'

type Merged = { kind: 'merged'; stats: MergeStats } | { kind: 'stage_lost'; found: number; expected: number }

/**
 * Merges a whole stage into its table, writes the statistics and ends the job, all in one transaction: readers see
 * all of it or nothing, and a job cannot be merged twice. The lock on the table comes first, so that two figuras
 * with one table never merge at the same time (MERGE answers 23505 where two sessions insert the same key).
 * @throws JobLost when the job is no longer ours; PostgreSQL's own errors
 */
export async function mergeStage(sql: Sql, job: ClaimedJob, stage: number): Promise<Merged> {
  const started = performance.now()
  const counting = (await serverVersion(sql)) >= 170000 ? countByMerge : countByStatistics
  // postgres.js sends COMMIT as a message of its own: sent along with the MERGE it would be carried out even if this
  // process is dead by then
  return sql.begin(async (tx): Promise<Merged> => {
    await lockForMerge(tx, job.definition.table)
    const marks = await readMarks(tx, job.id, stage)
    const whole = marks.total > 0 && marks.done === marks.total && marks.rows === job.rows
    if (!whole) return { kind: 'stage_lost', found: marks.rows, expected: job.rows ?? 0 }
    const names = await stageColumns(tx, stageName(job.id, stage))
    const columns = job.definition.columns.filter((column) => names.includes(column.name))
    const { inserted, updated } = await counting(tx, job, columns, stage)
    const stats = {
      read: marks.rows,
      inserted,
      updated,
      unchanged: marks.rows - inserted - updated,
      mergeMs: Math.round(performance.now() - started),
    }
    if (!(await completeJob(tx, { job: job.id, stage }, stats))) throw new JobLost()
    await tx.unsafe(dropStageSql(stageName(job.id, stage)))
    return { kind: 'merged', stats }
  })
}

async function countByMerge(tx: Transaction, job: ClaimedJob, columns: Column[], stage: number) {
  const [counts] = await tx.unsafe<{ inserted: number; updated: number }[]>(
    countedMergeSql(job.definition, stageName(job.id, stage), columns),
  )
  return counts ?? { inserted: 0, updated: 0 }
}

/** PostgreSQL 15 and 16 have no MERGE … RETURNING; the transaction's own statistics tell what was inserted. */
async function countByStatistics(tx: Transaction, job: ClaimedJob, columns: Column[], stage: number) {
  const before = await insertedInTransaction(tx, job.definition.table)
  const { count } = await tx.unsafe(mergeSql(job.definition, stageName(job.id, stage), columns))
  const inserted = (await insertedInTransaction(tx, job.definition.table)) - before
  return { inserted, updated: count - inserted }
}
