import type { Bounds } from '../config.ts'
import type { ClaimedJob } from '../db/claims.ts'
import { completeJob } from '../db/ends.ts'
import { limitMerge } from '../db/locks.ts'
import { beginMerge, rollbackParts } from '../db/parts.ts'
import type { Sql } from '../db/postgres.ts'
import { readMergeFacts, stageColumns, type MergeFacts } from '../db/targets.ts'
import { beginUntil } from '../db/until.ts'
import { loadOf } from '../figura/types.ts'
import { JobLost } from './lease.ts'
import { mergeInParts } from './merge-parts.ts'
import { loadingOf, namesOfStage, readStage, type Merged } from './merge-rows.ts'
import { mergeWhole } from './merge-whole.ts'
import type { JobLog } from './report.ts'
import { dropStageSql, stageName, stageSliceSql } from './sql-postgres.ts'

/**
 * Merges a whole stage into its table, writes the statistics and ends the job, so that readers see all of it or
 * nothing, and a job cannot be merged twice. A large stage is merged over several connections; if that fails for any
 * reason, or cannot be done, in one transaction.
 * @throws JobLost when the job is no longer ours; PostgreSQL's own errors
 */
export async function mergeStage(
  sql: Sql,
  { job, stage }: { job: ClaimedJob; stage: number },
  { bounds, report, signal }: { bounds: Bounds; report: JobLog; signal: AbortSignal },
): Promise<Merged> {
  const started = performance.now()
  const fence = await beginMerge(sql, { job: job.id, stage })
  if (!fence) throw new JobLost('the job ended, or its merge is decided')
  if (fence.mergeTry > 1) await rollbackParts(sql, job.id, fence.mergeTry)

  const name = stageName(job.id, stage)
  if (rowsAreApart(job, await stageColumns(sql, name))) {
    const slices = planMerge(await readMergeFacts(sql, name), job, { stage, bounds })
    if (slices.length > 1) {
      const merged = await mergeInParts(sql, { job, fence, slices, started }, { bounds, report, signal })
      if (merged) return merged
      if (!(await beginMerge(sql, { job: job.id, stage }))) throw new JobLost('the job ended')
    }
  }
  return mergeAlone(sql, { job, stage, started }, { bounds, signal })
}

/**
 * Whether each staged row can be merged without a look at the others or at the rest of the table, so that several
 * transactions can do it at once.
 */
export function rowsAreApart(job: ClaimedJob, names: string[]): boolean {
  const { history, version } = loadOf(job.definition)
  const { mode, marked, numbered } = loadingOf(job, names, '')
  if (job.dryRun !== null || history || marked) return false
  if (mode === 'append') return true
  return (mode === 'insert' || (mode === 'merge' && version === undefined)) && !numbered
}

/** Decides in which slices a stage is merged, one for each transaction: pure, so that it can be tested as data. */
export function planMerge(
  facts: MergeFacts,
  job: { id: string; rows: number | null },
  {
    stage,
    bounds,
  }: { stage: number; bounds: Pick<Bounds, 'mergeConnections' | 'mergePartRows' | 'mergePartBytes'> },
): string[] {
  const byRows = (job.rows ?? 0) / bounds.mergePartRows
  const byBytes = (facts.stageBlocks * BLOCK_BYTES) / bounds.mergePartBytes
  const wanted = Math.min(bounds.mergeConnections, Math.floor(Math.max(byRows, byBytes)))
  const parts = Math.max(1, wanted <= facts.preparedFree ? Math.min(wanted, facts.stageBlocks) : 1)
  const name = stageName(job.id, stage)
  if (parts === 1) return [name]
  const cut = (part: number) => Math.floor((facts.stageBlocks * part) / parts)
  return Array.from({ length: parts }, (_, part) =>
    // the last slice ends where no block is: the stage may have grown since it was measured
    stageSliceSql(name, { from: cut(part), to: part === parts - 1 ? BLOCKS_MAX : cut(part + 1) }),
  )
}

/** Bytes of a block, as nearly every PostgreSQL is built. */
const BLOCK_BYTES = 8192

/** The number of a block that PostgreSQL never gives out. */
const BLOCKS_MAX = 2 ** 32 - 1

/** Everything in one transaction. */
async function mergeAlone(
  sql: Sql,
  { job, stage, started }: { job: ClaimedJob; stage: number; started: number },
  { bounds, signal }: { bounds: Bounds; signal: AbortSignal },
): Promise<Merged> {
  // postgres.js sends COMMIT as a message of its own: sent along with the MERGE it would be carried out even if this
  // process is dead by then
  return beginUntil(sql, signal, async (tx): Promise<Merged> => {
    await limitMerge(tx, { workMemBytes: bounds.mergeWorkMemBytes, lockMs: 0 })
    const staged = await readStage(tx, job, stage)
    if (staged.kind === 'stage_lost') return staged
    const rows = stageName(job.id, stage)
    const names = await namesOfStage(tx, job, stage)
    const full = { rows, names, copied: staged.copied, promised: job.rows }
    const { stats: sums, impact } = await mergeWhole(tx, job, full)
    const stats = { ...sums, mergeMs: Math.round(performance.now() - started) }
    if (!(await completeJob(tx, { job: job.id, stage }, { stats, impact }))) throw new JobLost()
    await tx.unsafe(dropStageSql(rows))
    return { kind: 'merged', stats, parts: 1 }
  })
}
