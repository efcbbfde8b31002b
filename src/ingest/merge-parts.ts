import type { Bounds } from '../config.ts'
import type { ClaimedJob } from '../db/claims.ts'
import { completeDecided, decideMerge, reopenMerge, type MergeStats } from '../db/ends.ts'
import { limitMerge, lockForMerge, readMoment } from '../db/locks.ts'
import {
  commitPart,
  partName,
  preparePart,
  rollbackPart,
  statusOfParts,
  type MergeFence,
} from '../db/parts.ts'
import type { Sql, Transaction } from '../db/postgres.ts'
import { isEmpty } from '../db/targets.ts'
import { beginUntil } from '../db/until.ts'
import { BulkError } from '../errors.ts'
import { errorFields } from '../log.ts'
import { Interrupted, JobLost } from './lease.ts'
import { loadingOf, mergeRows, namesOfStage, readStage, type Merged } from './merge-rows.ts'
import { sumUp, type Copied, type Counts } from './merge-stats.ts'
import type { JobLog } from './report.ts'
import { dropStageSql, stageName, targetName } from './sql-postgres.ts'

type Work = { job: ClaimedJob; fence: MergeFence; slices: string[]; started: number }

/** What a part has done, prepared and neither visible nor lost. */
type Part = Counts & { xid: string }

/**
 * Merges a stage over several connections at once, and still as one: each prepares its transaction, the decision to
 * commit them is written into the job's row, and only then are they committed. A crash at any point is made good
 * from that row: without the decision all parts are rolled back, with it all are committed. Readers see the parts
 * appear within milliseconds of one another.
 *
 * Undefined: it could not be done this way (a lock that others hold, a trigger that forbids it, a foreign key between
 * rows of two parts, numbers that do not add up …), and nothing is left of it; one transaction may still succeed, or
 * tell why not.
 * @throws JobLost; PostgreSQL's error when it is unknown what was decided
 */
export async function mergeInParts(
  sql: Sql,
  { job, fence, slices, started }: Work,
  { bounds, report, signal }: { bounds: Bounds; report: JobLog; signal: AbortSignal },
): Promise<Merged | undefined> {
  const begun = await prepareParts(sql, { job, fence, slices, started }, { bounds, signal })
  if (begun.kind === 'stage_lost') return begun
  if (begun.kind === 'failed') {
    await rollback(sql, fence, slices.length)
    if (begun.error instanceof JobLost || begun.error instanceof Interrupted) throw begun.error
    report.info('merge', 'it cannot be merged over several connections; one transaction does it', {
      ...errorFields(begun.error),
      stack: undefined,
    })
    return undefined
  }
  const stats = await sumUpParts(job, begun, started).catch(async (error: unknown) => {
    await rollback(sql, fence, slices.length)
    if (error instanceof BulkError && error.code === 'statistics_differ') return undefined
    throw error
  })
  if (!stats) return undefined
  const xids = begun.parts.map((part) => part.xid)
  if (!(await decideMerge(sql, fence, { xids, stats }))) {
    await rollback(sql, fence, xids.length)
    throw new JobLost('somebody else merges the job, or it ended')
  }
  const finished = await finishMerge(sql, fence, xids, report)
  return finished ? { kind: 'merged', stats, parts: xids.length } : undefined
}

/** The parts' numbers together are held against what was copied, as those of one transaction are. */
async function sumUpParts(
  job: ClaimedJob,
  { parts, copied }: Extract<Begun, { kind: 'prepared' }>,
  started: number,
): Promise<MergeStats> {
  const total = (of: keyof Counts) => parts.reduce((sum, part) => sum + part[of], 0)
  const counts = {
    inserted: total('inserted'),
    updated: total('updated'),
    deleted: total('deleted'),
    skipped: total('skipped'),
  }
  const nothing = { duplicates: 0, stale: 0, softDeleted: 0, removed: 0 }
  const sums = sumUp({ copied, promised: job.rows, counts, ...nothing })
  return { ...sums, mergeMs: Math.round(performance.now() - started) }
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

/** What the first part finds, for all: whether the table has no rows yet, and the time of the load. */
type Found = { kind: 'whole'; empty: boolean; at: string; copied: Copied }
type Lost = Extract<Merged, { kind: 'stage_lost' }>

type Begun = { kind: 'prepared'; parts: Part[]; copied: Copied } | { kind: 'failed'; error: unknown } | Lost

/** The first part holds the lock on the table for all, from before the others begin until it is committed. */
async function prepareParts(
  sql: Sql,
  { job, fence, slices }: Work,
  { bounds, signal }: { bounds: Bounds; signal: AbortSignal },
): Promise<Begun> {
  const { stage } = fence
  const start = Promise.withResolvers<Found | Lost>()
  const parts = slices.map(async (rows, no) => {
    if (no > 0 && (await start.promise).kind === 'stage_lost') return undefined
    return beginUntil(sql, signal, async (tx): Promise<Part | undefined> => {
      await limitMerge(tx, { workMemBytes: bounds.mergeWorkMemBytes, lockMs: bounds.mergeLockMs })
      if (no === 0) start.resolve(await findOut(tx, job, stage))
      const found = await start.promise
      if (found.kind === 'stage_lost') return undefined
      const load = loadingOf(job, await namesOfStage(tx, job, stage), found.at)
      const counts = await mergeRows(tx, { load, rows, empty: found.empty })
      // the COMMIT that follows finds no transaction, and does nothing
      return { ...counts, xid: await preparePart(tx, partName(fence, no)) }
    })
  })
  parts[0]?.catch(start.reject)
  const settled = await Promise.allSettled(parts)
  const failed = settled.find((part) => part.status === 'rejected')
  if (failed) return { kind: 'failed', error: failed.reason }
  const found = await start.promise
  if (found.kind === 'stage_lost') return found
  const prepared = settled.flatMap((part) => (part.status === 'fulfilled' && part.value ? [part.value] : []))
  return { kind: 'prepared', parts: prepared, copied: found.copied }
}

async function findOut(tx: Transaction, job: ClaimedJob, stage: number): Promise<Found | Lost> {
  await lockForMerge(tx, job.definition.table)
  const staged = await readStage(tx, job, stage)
  if (staged.kind === 'stage_lost') return staged
  const empty = await isEmpty(tx, targetName(job.definition))
  return { kind: 'whole', empty, at: await readMoment(tx), copied: staged.copied }
}

/** Whether a part that failed was prepared all the same is not always known, so all names are tried. */
async function rollback(sql: Sql, fence: MergeFence, parts: number): Promise<void> {
  for (let part = 0; part < parts; part++) await rollbackPart(sql, partName(fence, part))
}
