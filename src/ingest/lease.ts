import { renewLease, type Fence } from '../db/claims.ts'
import { isOurs } from '../db/life.ts'
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

/** How often it is asked whether the work still counts, in milliseconds: a cancelled job lets go within two seconds. */
const LOOK_MS = 750

/** How often a lost job's query is interrupted, in milliseconds: an interruption reaches only the call that runs. */
const INTERRUPT_MS = 100

type Hold = {
  leaseMs: number
  interrupted: AbortSignal
  /** Ends what the work has running on this thread beyond the reach of its signal. */
  interrupt(): void
  log: Log
}

/**
 * Does work under a lease that is renewed while it runs. The work's signal is aborted when the lease is lost: the
 * job ended (cancelled, failed elsewhere) or somebody else has it. A look that cannot reach PostgreSQL is taken
 * again at the next tick; the fence in the transaction is what keeps a holder that was paused from doing harm.
 *
 * An interruption ends it at once, whatever the work waits for: nothing more is begun on this thread, and what was not
 * committed is rolled back when its connection closes.
 */
export async function withLease<T>(
  sql: Sql,
  fence: Fence,
  hold: Hold,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { interrupted } = hold
  const lost = new AbortController()
  const stopped = Promise.withResolvers<never>()
  const stop = () => stopped.reject(interrupted.reason)
  if (interrupted.aborted) stop()
  interrupted.addEventListener('abort', stop, { once: true })
  const watch = watchLease(sql, fence, hold, lost)
  try {
    const running = work(AbortSignal.any([lost.signal, interrupted]))
    running.catch(() => {})
    return await Promise.race([running, stopped.promise])
  } catch (error) {
    // what broke is a consequence of the loss
    lost.signal.throwIfAborted()
    throw error
  } finally {
    watch.end()
    interrupted.removeEventListener('abort', stop)
  }
}

/** Asks again and again whether the work still counts, renews the lease in time, and interrupts what is lost. */
function watchLease(
  sql: Sql,
  fence: Fence,
  { leaseMs, interrupt, log }: Hold,
  lost: AbortController,
): { end(): void } {
  let renewedAt = performance.now()
  let looking = false
  let ended = false
  let interrupting: ReturnType<typeof setInterval> | undefined

  const isKept = async () => {
    if (performance.now() - renewedAt < leaseMs / 3) return isOurs(sql, fence)
    const kept = await renewLease(sql, fence, leaseMs)
    renewedAt = performance.now()
    return kept
  }
  const look = async () => {
    if (looking || lost.signal.aborted) return
    looking = true
    try {
      if ((await isKept()) || ended) return
      lost.abort(new JobLost('the job ended, or somebody else has it'))
      interrupting = setInterval(interrupt, INTERRUPT_MS)
      interrupt()
    } catch (error) {
      log.warn('cannot renew a lease; trying again', { ...fence, ...errorFields(error) })
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), Math.min(LOOK_MS, leaseMs / 3))
  return {
    end: () => {
      ended = true
      clearInterval(timer)
      clearInterval(interrupting)
    },
  }
}
