import type { ClaimedJob } from '../db/claims.ts'
import type { MergeStats } from '../db/ends.ts'
import { readMarks } from '../db/marks.ts'
import type { Transaction } from '../db/postgres.ts'
import { insertedInTransaction, mayDropInserts, stageColumns } from '../db/targets.ts'
import type { Copied, Counts } from './merge-stats.ts'
import { filledColumns, modeOf } from './served.ts'
import { countStageSql, explainedSql, insertSql, mergeSql, type Loading } from './sql-merge.ts'
import { GONE_COLUMN, ROW_COLUMN } from './sql.ts'
import { stageName } from './sql-postgres.ts'

/** What became of a merge. `stage_lost`: the stage does not hold what was planned. */
export type Merged =
  | { kind: 'merged'; stats: MergeStats; parts: number }
  | { kind: 'stage_lost'; found: number; expected: number }

/** What a stage holds, when every chunk of it is marked as done, with as many rows as the file has. */
export async function readStage(
  tx: Transaction,
  job: ClaimedJob,
  stage: number,
): Promise<{ kind: 'whole'; copied: Copied } | Extract<Merged, { kind: 'stage_lost' }>> {
  const { total, done, ...copied } = await readMarks(tx, job.id, stage)
  const whole = total > 0 && done === total && (job.rows === null || copied.read === job.rows)
  return whole
    ? { kind: 'whole', copied }
    : { kind: 'stage_lost', found: copied.read, expected: job.rows ?? 0 }
}

/** The names of the columns that a job's stage has. */
export function namesOfStage(tx: Transaction, job: ClaimedJob, stage: number): Promise<string[]> {
  return stageColumns(tx, stageName(job.id, stage))
}

/** A job as its statements need it; `names`: the columns of its stage, `at`: the time of the load. */
export function loadingOf(job: ClaimedJob, names: string[], at: string): Loading {
  const figura = job.definition
  const mode = modeOf(job)
  const columns = filledColumns(figura).filter(({ name }) => names.includes(name))
  return {
    figura,
    mode,
    columns: mode === 'delete' ? columns.filter(({ name }) => figura.key.includes(name)) : columns,
    marked: mode !== 'delete' && names.includes(GONE_COLUMN),
    numbered: names.includes(ROW_COLUMN),
    job: job.id,
    at,
  }
}

/** Merges staged rows, all or a slice of them, within a transaction. `empty`: the table has no rows yet. */
export async function mergeRows(
  tx: Transaction,
  { load, rows, empty }: { load: Loading; rows: string; empty: boolean },
): Promise<Counts> {
  if (load.mode === 'append' || (empty && load.mode !== 'delete' && !load.marked)) {
    const { count } = await tx.unsafe(insertSql(load, rows))
    const gone = load.marked ? (await countStage(tx, load, rows)).gone : 0
    return { inserted: count, updated: 0, deleted: 0, skipped: gone }
  }
  const counts = await insertedIndeed(tx, load, () => execute(tx, mergeSql(load, rows)))
  if (load.mode !== 'delete') return counts
  // a MERGE that inserts nothing does not come by the rows that match nothing
  const staged = await countStage(tx, load, rows)
  return { ...counts, skipped: staged.rows - counts.deleted }
}

/** A MERGE counts rows that a trigger has passed over as inserted; the statistics of the table do not. */
async function insertedIndeed(
  tx: Transaction,
  { figura: { table } }: Loading,
  merge: () => Promise<Counts>,
): Promise<Counts> {
  if (!(await mayDropInserts(tx, table))) return merge()
  const before = await insertedInTransaction(tx, table)
  const counts = await merge()
  const after = await insertedInTransaction(tx, table)
  if (before === null || after === null) return counts
  return { ...counts, inserted: Math.min(counts.inserted, after - before) }
}

/** How many rows a stage has, and how many of them the file calls gone. */
export async function countStage(
  tx: Transaction,
  load: Pick<Loading, 'marked'>,
  rows: string,
): Promise<{ rows: number; gone: number }> {
  const [counts] = await tx.unsafe<{ rows: number; gone: number }[]>(countStageSql(load, rows))
  return counts ?? { rows: 0, gone: 0 }
}

/** Carries a MERGE out, and gives what the executor counted. */
async function execute(tx: Transaction, statement: string): Promise<Counts> {
  const [row] = await tx.unsafe<Record<string, string>[]>(explainedSql(statement))
  const plan = Object.values(row ?? {}).join('\n')
  const told = (what: string) => {
    // names and values are quoted in it, so that no other line can begin like this
    const count = new RegExp(`^ *Tuples ${what}: (\\d+)$`, 'm').exec(plan)?.[1]
    if (count === undefined) throw new Error(`PostgreSQL did not tell how many rows a MERGE has ${what}`)
    return Number(count)
  }
  return {
    inserted: told('Inserted'),
    updated: told('Updated'),
    deleted: told('Deleted'),
    skipped: told('Skipped'),
  }
}
