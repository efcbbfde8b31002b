import { writeJobLog } from '../db/jobs.ts'
import type { Sql } from '../db/postgres.ts'
import type { Phase } from '../job.ts'
import { errorFields, type Log } from '../log.ts'

/** Facts of a line: how long it took in milliseconds, and whatever else is worth keeping (never a secret). */
type Facts = { ms?: number } & Record<string, unknown>

/** A job's own log, kept in PostgreSQL beside its status; each line goes to the service's log too. */
export type JobLog = {
  info(phase: Phase, message: string, facts?: Facts): void
  warn(phase: Phase, message: string, facts?: Facts): void
  error(phase: Phase, message: string, facts?: Facts): void
  /** Waits until all lines are written. A line that cannot be written fails nothing. */
  flush(): Promise<void>
}

/** Opens the log of a job for one piece of work on it. Lines are written in their order, behind the work. */
export function openJobLog(
  { sql, log, node, thread }: { sql: Sql; log: Log; node: string; thread: number | null },
  job: { id: string; figura: string; attempts: number },
): JobLog {
  let written: Promise<void> = Promise.resolve()
  const write =
    (level: 'info' | 'warn' | 'error') =>
    (phase: Phase, message: string, facts: Facts = {}) => {
      const { ms = null, ...data } = facts
      log[level](message, { job: job.id, figura: job.figura, attempt: job.attempts, phase, ...facts })
      const line = {
        level,
        node,
        thread,
        attempt: job.attempts,
        phase,
        message,
        ms,
        data: Object.keys(data).length ? data : null,
      }
      written = written
        .then(() => writeJobLog(sql, job.id, line))
        .catch((error) =>
          log.warn('cannot write a line of a job log', { job: job.id, ...errorFields(error) }),
        )
    }
  return { info: write('info'), warn: write('warn'), error: write('error'), flush: () => written }
}
