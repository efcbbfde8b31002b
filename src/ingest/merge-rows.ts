import type { ClaimedJob } from '../db/claims.ts'
import type { MergeStats } from '../db/ends.ts'
import { readMarks } from '../db/marks.ts'
import type { Transaction } from '../db/postgres.ts'
import { insertedInTransaction, stageColumns } from '../db/targets.ts'
import type { Column, Figura } from '../figura/types.ts'
import { countedMergeSql, insertSql, mergeSql, stageName } from './sql-postgres.ts'

/** What became of a merge. `stage_lost`: the stage does not hold what was planned. */
export type Merged =
  | { kind: 'merged'; stats: MergeStats; parts: number }
  | { kind: 'stage_lost'; found: number; expected: number }

/** A piece of a stage, and how it is merged. */
export type MergePlan = {
  /** The stage in as many slices as there are transactions. */
  slices: string[]
  /** How the rows that were inserted are counted: by the server's own statistics, or by the MERGE itself. */
  counting: 'statistics' | 'returning'
}

/** Undefined when every chunk of the stage is marked as done, with as many rows as the file has. */
export async function stageLost(
  tx: Transaction,
  job: ClaimedJob,
  stage: number,
): Promise<Extract<Merged, { kind: 'stage_lost' }> | undefined> {
  const marks = await readMarks(tx, job.id, stage)
  const asPlanned = marks.total > 0 && marks.done === marks.total
  // what is no parquet tells its rows only when all is read
  if (asPlanned && job.rows === null) job.rows = marks.read
  const whole = asPlanned && marks.read === job.rows
  return whole ? undefined : { kind: 'stage_lost', found: marks.read, expected: job.rows ?? 0 }
}

/** The columns that a stage has: those of the figura that the file has. */
export async function columnsOfStage(tx: Transaction, job: ClaimedJob, stage: number): Promise<Column[]> {
  const names = await stageColumns(tx, stageName(job.id, stage))
  return job.definition.columns.filter((column) => names.includes(column.name))
}

/** Rows that a statement inserted and updated. */
export type Counts = { inserted: number; updated: number }

/** Merges staged rows, all or a slice of them, within a transaction. */
export async function mergeRows(
  tx: Transaction,
  {
    figura,
    columns,
    rows,
    empty,
    counting,
  }: { figura: Figura; columns: Column[]; rows: string; empty: boolean; counting: MergePlan['counting'] },
): Promise<Counts> {
  if (empty) {
    const { count } = await tx.unsafe(insertSql(figura, rows, columns))
    return { inserted: count, updated: 0 }
  }
  if (counting === 'returning') return countByMerge(tx, figura, rows, columns)
  const before = await insertedInTransaction(tx, figura.table)
  const { count } = await tx.unsafe(mergeSql(figura, rows, columns))
  const inserted = (await insertedInTransaction(tx, figura.table)) - before
  return { inserted, updated: count - inserted }
}

/** For servers that keep no statistics; RETURNING costs 10 % of a MERGE of new rows. */
async function countByMerge(
  tx: Transaction,
  figura: Figura,
  rows: string,
  columns: Column[],
): Promise<Counts> {
  const [counts] = await tx.unsafe<Counts[]>(countedMergeSql(figura, rows, columns))
  return counts ?? { inserted: 0, updated: 0 }
}

/** The statistics of a job: its rows are inserted, updated, or were equal already. */
export function statsOf(
  job: { rows: number | null },
  { inserted, updated }: Counts,
  started: number,
): MergeStats {
  const read = job.rows ?? 0
  const mergeMs = Math.round(performance.now() - started)
  return { read, inserted, updated, unchanged: read - inserted - updated, mergeMs }
}
