import type { Bounds } from '../config.ts'
import type { ClaimedJob } from '../db/claims.ts'
import { completeJob } from '../db/ends.ts'
import { limitMerge, lockForMerge } from '../db/locks.ts'
import { beginMerge, rollbackParts } from '../db/parts.ts'
import type { Sql } from '../db/postgres.ts'
import { isEmpty, readMergeFacts, type MergeFacts } from '../db/targets.ts'
import { JobLost } from './lease.ts'
import { mergeInParts } from './merge-parts.ts'
import { columnsOfStage, mergeRows, stageLost, statsOf, type Merged, type MergePlan } from './merge-rows.ts'
import type { JobLog } from './report.ts'
import { dropStageSql, stageName, stageSliceSql, targetName } from './sql-postgres.ts'

/**
 * Merges a whole stage into its table, writes the statistics and ends the job, so that readers see all of it or
 * nothing, and a job cannot be merged twice. A large stage is merged over several connections; if that fails for any
 * reason, or cannot be done, in one transaction.
 * @throws JobLost when the job is no longer ours; PostgreSQL's own errors
 */
export async function mergeStage(
  sql: Sql,
  { job, stage }: { job: ClaimedJob; stage: number },
  { bounds, report }: { bounds: Bounds; report: JobLog },
): Promise<Merged> {
  const started = performance.now()
  const fence = await beginMerge(sql, { job: job.id, stage })
  if (!fence) throw new JobLost('the job ended, or its merge is decided')
  if (fence.mergeTry > 1) await rollbackParts(sql, job.id, fence.mergeTry)

  const plan = planMerge(await readMergeFacts(sql, stageName(job.id, stage)), job, { stage, bounds })
  if (plan.slices.length > 1) {
    const merged = await mergeInParts(sql, { job, fence, plan, started }, { bounds, report })
    if (merged) return merged
    if (!(await beginMerge(sql, { job: job.id, stage }))) throw new JobLost('the job ended')
  }
  return mergeAlone(sql, { job, stage, counting: plan.counting, started }, bounds)
}

/** Decides how a stage is merged: pure, so that it can be tested as data. */
export function planMerge(
  facts: MergeFacts,
  job: { id: string; rows: number | null },
  {
    stage,
    bounds,
  }: { stage: number; bounds: Pick<Bounds, 'mergeConnections' | 'mergePartRows' | 'mergePartBytes'> },
): MergePlan {
  const byRows = (job.rows ?? 0) / bounds.mergePartRows
  const byBytes = (facts.stageBlocks * BLOCK_BYTES) / bounds.mergePartBytes
  const wanted = Math.min(bounds.mergeConnections, Math.floor(Math.max(byRows, byBytes)))
  const parts = Math.max(1, wanted <= facts.preparedFree ? Math.min(wanted, facts.stageBlocks) : 1)
  const name = stageName(job.id, stage)
  const cut = (part: number) => Math.floor((facts.stageBlocks * part) / parts)
  const slices = Array.from({ length: parts }, (_, part) =>
    // the last slice ends where no block is: the stage may have grown since it was measured
    stageSliceSql(name, { from: cut(part), to: part === parts - 1 ? BLOCKS_MAX : cut(part + 1) }),
  )
  return {
    slices: parts > 1 ? slices : [name],
    counting: countingBy(facts),
  }
}

/** How the rows that a MERGE inserts are counted on a server. */
export function countingBy({ trackCounts, version }: Pick<MergeFacts, 'trackCounts' | 'version'>) {
  return trackCounts || version < 170000 ? ('statistics' as const) : ('returning' as const)
}

/** Bytes of a block, as nearly every PostgreSQL is built. */
const BLOCK_BYTES = 8192

/** The number of a block that PostgreSQL never gives out. */
const BLOCKS_MAX = 2 ** 32 - 1

/**
 * Everything in one transaction. The lock on the table comes first, so that two figuras with one table never merge at
 * the same time (MERGE answers 23505 where two sessions insert the same key).
 */
async function mergeAlone(
  sql: Sql,
  {
    job,
    stage,
    counting,
    started,
  }: { job: ClaimedJob; stage: number; counting: MergePlan['counting']; started: number },
  bounds: Bounds,
): Promise<Merged> {
  // postgres.js sends COMMIT as a message of its own: sent along with the MERGE it would be carried out even if this
  // process is dead by then
  return sql.begin(async (tx): Promise<Merged> => {
    await limitMerge(tx, { workMemBytes: bounds.mergeWorkMemBytes, lockMs: 0 })
    await lockForMerge(tx, job.definition.table)
    const lost = await stageLost(tx, job, stage)
    if (lost) return lost
    const empty = await isEmpty(tx, targetName(job.definition))
    const columns = await columnsOfStage(tx, job, stage)
    const rows = stageName(job.id, stage)
    const counts = await mergeRows(tx, { figura: job.definition, columns, rows, empty, counting })
    const stats = statsOf(job, counts, started)
    if (!(await completeJob(tx, { job: job.id, stage }, stats))) throw new JobLost()
    await tx.unsafe(dropStageSql(stageName(job.id, stage)))
    return { kind: 'merged', stats, parts: 1 }
  })
}
