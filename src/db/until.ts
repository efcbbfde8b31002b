import type { Sql, Transaction } from './postgres.ts'

/** How often a statement that has to end is cancelled, in milliseconds: what begins just after is hit by the next. */
const CANCEL_MS = 100

/**
 * A transaction that ends with a signal. A statement in it that runs for an hour, or waits for a lock, would else go
 * on for the time that it takes: when the signal comes PostgreSQL is told to cancel it, again and again until the
 * transaction is rolled back.
 * @param other where that is said: a pool whose connections are not all in use by such transactions
 * @throws the signal's reason, in place of what PostgreSQL says of a cancelled statement
 */
export async function beginUntil<T>(
  sql: Sql,
  signal: AbortSignal,
  work: (tx: Transaction) => Promise<T>,
  other = sql,
): Promise<T> {
  signal.throwIfAborted()
  const begun = sql.begin(async (tx) => {
    // it may have come while a connection was waited for, and then nobody would hear it any more
    signal.throwIfAborted()
    // not waited for: it travels with the first statement of the work, and costs no round trip
    const backend = readBackend(tx)
    backend.catch(() => {})
    let over = false
    let cancelling: Promise<void> | undefined
    const cancel = async () => {
      const pid = await backend
      while (!over) {
        await cancelBackend(other, pid).catch(() => {})
        await Bun.sleep(CANCEL_MS)
      }
    }
    const begin = () => {
      cancelling = cancel().catch(() => {})
    }
    signal.addEventListener('abort', begin, { once: true })
    try {
      return await work(tx)
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      over = true
      signal.removeEventListener('abort', begin)
      // a cancel that is still on its way would hit whatever comes next on this connection
      await cancelling
    }
  })
  // postgres.js hands back an array's members as if they were promises, and types it so
  return begun as Promise<T>
}

async function readBackend(tx: Transaction): Promise<number> {
  const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
  if (!row) throw new Error('PostgreSQL did not answer which backend it is')
  return row.pid
}

async function cancelBackend(sql: Sql, pid: number): Promise<void> {
  await sql`select pg_cancel_backend(${pid})`
}
