import type { Bounds } from '../config.ts'
import type { ClaimedJob } from '../db/claims.ts'
import { completeDecided, decideMerge, reopenMerge } from '../db/ends.ts'
import { limitMerge, lockForMerge } from '../db/locks.ts'
import {
  commitPart,
  partName,
  preparePart,
  rollbackPart,
  statusOfParts,
  type MergeFence,
} from '../db/parts.ts'
import type { Sql } from '../db/postgres.ts'
import { isEmpty } from '../db/targets.ts'
import { errorFields } from '../log.ts'
import { Interrupted, JobLost } from './lease.ts'
import {
  columnsOfStage,
  mergeRows,
  stageLost,
  statsOf,
  type Counts,
  type Merged,
  type MergePlan,
} from './merge-rows.ts'
import type { JobLog } from './report.ts'
import { dropStageSql, stageName, targetName } from './sql-postgres.ts'

type Work = { job: ClaimedJob; fence: MergeFence; plan: MergePlan; started: number }

/** What a part has done, prepared and neither visible nor lost. */
type Part = Counts & { xid: string }

/**
 * Merges a stage over several connections at once, and still as one: each prepares its transaction, the decision to
 * commit them is written into the job's row, and only then are they committed. A crash at any point is made good
 * from that row: without the decision all parts are rolled back, with it all are committed. Readers see the parts
 * appear within milliseconds of one another.
 *
 * Undefined: it could not be done this way (a lock that others hold, a trigger that forbids it, a foreign key between
 * rows of two parts …), and nothing is left of it; one transaction may still succeed, or tell why not.
 * @throws JobLost; PostgreSQL's error when it is unknown what was decided
 */
export async function mergeInParts(
  sql: Sql,
  { job, fence, plan, started }: Work,
  { bounds, report }: { bounds: Bounds; report: JobLog },
): Promise<Merged | undefined> {
  const begun = await prepareParts(sql, { job, fence, plan, started }, bounds)
  if (begun.kind === 'stage_lost') return begun
  if (begun.kind === 'failed') {
    await rollback(sql, fence, plan.slices.length)
    if (begun.error instanceof JobLost || begun.error instanceof Interrupted) throw begun.error
    report.info('merge', 'it cannot be merged over several connections; one transaction does it', {
      ...errorFields(begun.error),
      stack: undefined,
    })
    return undefined
  }
  const counts = begun.parts.reduce((sum, part) => ({
    xid: '',
    inserted: sum.inserted + part.inserted,
    updated: sum.updated + part.updated,
  }))
  const stats = statsOf(job, counts, started)
  const xids = begun.parts.map((part) => part.xid)
  if (!(await decideMerge(sql, fence, { xids, stats }))) {
    await rollback(sql, fence, xids.length)
    throw new JobLost('somebody else merges the job, or it ended')
  }
  const finished = await finishMerge(sql, fence, xids, report)
  return finished ? { kind: 'merged', stats, parts: xids.length } : undefined
}

/**
 * Carries out what was decided: commits the parts that still stand, ends the job, drops its stage. Done by whoever
 * decided, or after a crash by the job's next holder.
 * @returns false when a part is gone that was never committed, as after a ROLLBACK PREPARED by hand: the decision is
 * taken back, and the stage has to be merged again
 */
export async function finishMerge(
  sql: Sql,
  fence: MergeFence,
  xids: string[],
  report: JobLog,
): Promise<boolean> {
  await Promise.all(xids.map((_, part) => commitPart(sql, partName(fence, part))))
  const torn = (await statusOfParts(sql, xids)).filter((status) => status === 'aborted').length
  if (torn > 0) {
    report.error('merge', 'parts of the merge were rolled back by somebody; the stage is merged again', {
      torn,
    })
    await reopenMerge(sql, fence)
    return false
  }
  await sql.begin(async (tx) => {
    if (await completeDecided(tx, fence)) await tx.unsafe(dropStageSql(stageName(fence.job, fence.stage)))
  })
  return true
}

type Begun =
  | { kind: 'prepared'; parts: Part[] }
  | { kind: 'failed'; error: unknown }
  | Extract<Merged, { kind: 'stage_lost' }>

/** The first part holds the lock on the table for all, from before the others begin until it is committed. */
async function prepareParts(sql: Sql, { job, fence, plan }: Work, bounds: Bounds): Promise<Begun> {
  const { stage } = fence
  const start = Promise.withResolvers<{ empty: boolean } | Extract<Merged, { kind: 'stage_lost' }>>()
  const parts = plan.slices.map(async (rows, no) => {
    if (no > 0 && 'kind' in (await start.promise)) return undefined
    return sql.begin(async (tx): Promise<Part | undefined> => {
      await limitMerge(tx, { workMemBytes: bounds.mergeWorkMemBytes, lockMs: bounds.mergeLockMs })
      if (no === 0) {
        await lockForMerge(tx, job.definition.table)
        const lost = await stageLost(tx, job, stage)
        start.resolve(lost ?? { empty: await isEmpty(tx, targetName(job.definition)) })
      }
      const begun = await start.promise
      if ('kind' in begun) return undefined
      const counts = await mergeRows(tx, {
        figura: job.definition,
        columns: await columnsOfStage(tx, job, stage),
        rows,
        empty: begun.empty,
        counting: plan.counting,
      })
      // the COMMIT that follows finds no transaction, and does nothing
      return { ...counts, xid: await preparePart(tx, partName(fence, no)) }
    })
  })
  parts[0]?.catch(start.reject)
  const settled = await Promise.allSettled(parts)
  const failed = settled.find((part) => part.status === 'rejected')
  if (failed) return { kind: 'failed', error: failed.reason }
  const begun = await start.promise
  if ('kind' in begun) return begun
  const prepared = settled.flatMap((part) => (part.status === 'fulfilled' && part.value ? [part.value] : []))
  return { kind: 'prepared', parts: prepared }
}

/** Whether a part that failed was prepared all the same is not always known, so all names are tried. */
async function rollback(sql: Sql, fence: MergeFence, parts: number): Promise<void> {
  for (let part = 0; part < parts; part++) await rollbackPart(sql, partName(fence, part))
}
