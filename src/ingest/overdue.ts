import { type Ended, endOverdue, findOverdue, type Overdue } from '../db/life.ts'
import type { Sql } from '../db/postgres.ts'
import { BulkError, type Problem } from '../errors.ts'
import type { Log } from '../log.ts'

/** Jobs that one sweep ends, so that it ends itself. */
const LIMIT = 100

/**
 * Ends every job whose time is over, whoever has it and whether anybody does: its time runs from its first claim, by
 * PostgreSQL's clock. Who works on it finds the job ended. Every node does this; one of them comes first.
 */
export async function endAllOverdue(
  sql: Sql,
  { node, ended, log }: { node: string; ended: (job: Ended) => Promise<void>; log: Log },
): Promise<void> {
  for (const job of await findOverdue(sql, LIMIT)) {
    const problem = tooLate(job)
    const gone = await endOverdue(sql, job, problem, node)
    if (!gone) continue
    log.warn('a job took too long; it is ended', { job: job.id, figura: job.figura, problem: problem.detail })
    await ended(gone)
  }
}

function tooLate({ phase, startedAt, deadlineAt, waiting }: Overdue): Problem {
  const seconds = Math.round((deadlineAt.getTime() - startedAt.getTime()) / 1000)
  const found = `that it has not ended in the ${seconds} s from its first claim`
  const why = waiting === null ? '' : ` (it last waited, since "${waiting}")`
  const said = { subject: 'The job', found: `${found}${why}`, expected: 'an end within that time' }
  return { ...new BulkError('deadline_exceeded', said, { max_seconds: seconds }).problem(), phase }
}
