import type { ClaimedJob } from '../db/claims.ts'
import { hasEarlier, waitForTurn, type MergeStats } from '../db/ends.ts'
import { forgetStage } from '../db/marks.ts'
import { rollbackParts } from '../db/parts.ts'
import type { Outcome } from '../job.ts'
import type { Context } from './context.ts'
import { nextTurn } from './ended.ts'
import { JobLost } from './lease.ts'
import { mergeStage } from './merge.ts'
import { finishMerge } from './merge-parts.ts'
import type { JobLog } from './report.ts'
import { settle } from './settle.ts'
import { dropStageSql, stageName } from './sql-postgres.ts'
import type { Running } from './work.ts'

/** Merges in the order of acceptance: a job with an earlier one alive waits staged, without a thread. */
export async function mergeInTurn(
  job: ClaimedJob,
  stage: number,
  context: Context,
  { report, signal }: Running,
): Promise<Outcome> {
  const { sql } = context
  if (await hasEarlier(sql, job)) {
    const fence = { job: job.id, stage }
    report.info('wait', 'an earlier job of the figura has to merge first')
    if (!(await waitForTurn(sql, fence))) throw new JobLost('the job ended')
    // asked once more: the earlier one may have ended before it could see that this one waits
    if (await hasEarlier(sql, job)) return done()
  }
  job.phase = 'merge'
  const outcome = await mergeStage(sql, { job, stage }, { bounds: context.config.bounds, report, signal })
  if (outcome.kind === 'stage_lost') return planAnew(job, stage, context, report, outcome)
  return merged(job, { stats: outcome.stats, how: { connections: outcome.parts } }, context, report)
}

/** Tells of a merge that is committed. */
export function merged(
  job: ClaimedJob,
  { stats: { mergeMs, ...stats }, how }: { stats: MergeStats; how: Record<string, unknown> },
  context: Context,
  report: JobLog,
): Promise<Outcome> {
  const said = job.dryRun === null ? 'the rows are merged' : 'the trial is done, and the table is as it was'
  report.info('merge', said, { ms: mergeMs ?? 0, ...stats, ...how })
  return completed(job, context)
}

/** A merge that was decided before its holder fell silent can only be finished. */
export async function finish(
  job: ClaimedJob,
  { stage, xids }: { stage: number; xids: string[] },
  context: Context,
  { report, signal }: Running,
): Promise<Outcome> {
  const fence = { job: job.id, stage, mergeTry: job.mergeTry }
  if (!(await finishMerge(context.sql, fence, xids, report)))
    return mergeInTurn(job, stage, context, { report, signal })
  report.info('merge', 'the merge that was decided is finished', { connections: xids.length })
  return completed(job, context)
}

/** Tells that a job ended well, and rings for the next one of the figura. */
export async function completed(job: ClaimedJob, context: Context): Promise<Outcome> {
  context.tell({ figura: job.figura, job: job.id, status: 'completo' })
  // the job is done; if the next one cannot be looked up now, the sweeper rings for it in 10 s
  return { kind: 'done', release: await nextTurn(context.sql, job.figura).catch(() => []) }
}

/**
 * The stage does not hold what was planned. A crash of PostgreSQL empties UNLOGGED tables, the marks with the rows;
 * then all is done again.
 */
export async function planAnew(
  job: ClaimedJob,
  stage: number,
  context: Context,
  report: JobLog,
  { found, expected }: { found: number; expected: number },
): Promise<Outcome> {
  report.warn('stage', 'the stage was lost, as after a crash of PostgreSQL; the file is read again', {
    stage,
    found,
    expected,
  })
  const forgot = await forgetStage(context.sql, { job: job.id, stage })
  // the job ended, or its merge is decided: then its parts are not ours to touch
  if (!forgot) return done()
  const { ring, mergeTry } = forgot
  // a part that was prepared before the crash has outlived it, and would keep the stage from being dropped for ever.
  // Those of later tries belong to whoever has the job by now, and may be decided
  await rollbackParts(context.sql, job.id, mergeTry + 1)
  await context.sql.unsafe(dropStageSql(stageName(job.id, stage)))
  return { kind: 'done', release: [{ kind: 'job', figura: job.figura, job: job.id, ring }] }
}

/** A merge that is to be tried again is rung for by itself: the chunk's own message would find the chunk done. */
export async function mergeAfterChunk(
  job: ClaimedJob,
  stage: number,
  context: Context,
  { report, signal }: Running,
): Promise<Outcome> {
  const fence = { job: job.id, stage }
  const outcome = await mergeInTurn(job, stage, context, { report, signal }).catch((error: unknown) =>
    settle(error, { job, fence, tries: job.attempts, context, report }),
  )
  if (outcome.kind === 'done') return outcome
  return {
    kind: 'done',
    release: [{ kind: 'merge', figura: job.figura, job: job.id, ring: job.ring, stage }],
  }
}

/** The chunks of a stage that may be rung for. */
export function released(job: ClaimedJob, stage: number, chunks: number[]): Outcome {
  const { figura, ring } = job
  return {
    kind: 'done',
    release: chunks.map((chunk) => ({ kind: 'chunk', figura, job: job.id, ring, stage, chunk })),
  }
}

/** Nothing is left to do. */
export function done(): Outcome {
  return { kind: 'done', release: [] }
}
