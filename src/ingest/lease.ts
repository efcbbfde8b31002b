import { renewLease, type Fence } from '../db/claims.ts'
import type { Sql } from '../db/postgres.ts'
import { errorFields, type Log } from '../log.ts'

/** The job ended, or belongs to somebody else by now: what was done for it is rolled back and dropped. */
export class JobLost extends Error {
  override readonly name = 'JobLost'
}

/** The thread has to stop at once: the work is handed back. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/**
 * Does work under a lease that is renewed while it runs. The work's signal is aborted when the lease is lost: the
 * job ended (cancelled, failed elsewhere) or somebody else has it. A renewal that cannot reach PostgreSQL is tried
 * again at the next tick; the fence in the transaction is what keeps a holder that was paused from doing harm.
 *
 * An interruption ends it at once, whatever the work waits for (a MERGE behind a lock cannot be aborted from here):
 * nothing more is begun on this thread, and what was not committed is rolled back when its connection closes.
 */
export async function withLease<T>(
  sql: Sql,
  fence: Fence,
  { leaseMs, interrupted, log }: { leaseMs: number; interrupted: AbortSignal; log: Log },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController()
  const renew = async () => {
    try {
      if (!(await renewLease(sql, fence, leaseMs)))
        lost.abort(new JobLost('the job ended, or somebody else has it'))
    } catch (error) {
      log.warn('cannot renew a lease; trying again', { ...fence, ...errorFields(error) })
    }
  }
  const stopped = Promise.withResolvers<never>()
  const stop = () => stopped.reject(interrupted.reason)
  if (interrupted.aborted) stop()
  interrupted.addEventListener('abort', stop, { once: true })
  const timer = setInterval(() => void renew(), leaseMs / 3)
  try {
    const running = work(AbortSignal.any([lost.signal, interrupted]))
    running.catch(() => {})
    return await Promise.race([running, stopped.promise])
  } finally {
    clearInterval(timer)
    interrupted.removeEventListener('abort', stop)
  }
}
