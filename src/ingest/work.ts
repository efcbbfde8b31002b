import type { ClaimedJob, Fence } from '../db/claims.ts'
import { isTransient } from '../db/postgres.ts'
import type { Outcome, Task } from '../job.ts'
import { errorFields, messageOf } from '../log.ts'
import type { Context } from './context.ts'
import { withLease } from './lease.ts'
import { openJobLog, type JobLog } from './report.ts'
import { settle } from './settle.ts'

/** What a running piece of work is given: where it tells of itself, and whether it shall go on. */
export type Running = { report: JobLog; signal: AbortSignal }

/** Runs a claimed piece of work under its lease, and turns whatever goes wrong into an outcome. */
export async function work(
  job: ClaimedJob,
  fence: Fence,
  tries: number,
  context: Context,
  run: (signal: AbortSignal, report: JobLog) => Promise<Outcome>,
): Promise<Outcome> {
  const { sql, log, config, thread, interrupted, duckdb } = context
  const report = openJobLog({ sql, log, node: config.node, thread }, job)
  try {
    // before a byte is read: an attempt that kills its process is found in the log too, with its node and thread
    if (tries > 1 || 'attempt' in fence) {
      report.info(
        job.phase ?? 'plan',
        'chunk' in fence ? `chunk ${fence.chunk} is tried again` : 'a worker has the job',
        {
          tries,
        },
      )
      await report.flush()
    }
    const { leaseMs } = config.bounds
    const hold = { leaseMs, interrupted, interrupt: duckdb.interrupt, log }
    return await withLease(sql, fence, hold, (signal) => run(signal, report))
  } catch (error) {
    return await settle(error, { job, fence, tries, context, report })
  } finally {
    await report.flush()
  }
}

/** A claim that PostgreSQL did not answer is made again soon; one that it refuses, seldom, for somebody has to look. */
export async function tryClaim<T>(
  { log }: Context,
  task: Task,
  claim: () => Promise<T>,
): Promise<T | { kind: 'unclaimed'; outcome: Outcome }> {
  try {
    return await claim()
  } catch (error) {
    const reason = messageOf(error)
    if (!isTransient(error)) log.error('a task cannot be claimed', { ...task, ...errorFields(error) })
    return {
      kind: 'unclaimed',
      outcome: { kind: 'again', delayMs: isTransient(error) ? 2000 : 60_000, reason },
    }
  }
}
