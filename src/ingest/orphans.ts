import { rollbackPart, takeOrphanedParts } from '../db/parts.ts'
import type { Sql } from '../db/postgres.ts'
import { errorFields, type Log } from '../log.ts'

/**
 * Looks again and again for parts of merges that nobody will ever end, as a crash between two of them leaves them, and
 * rolls them back: a prepared transaction keeps its locks for ever. Every node does this; what one has rolled back the
 * others no longer find.
 */
export function startOrphanSweep(
  sql: Sql,
  { everyMs, log }: { everyMs: number; log: Log },
): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const timer = setInterval(() => {
    running = running.then(async () => {
      if (stopped) return
      try {
        await rollbackOrphans(sql, log)
      } catch (error) {
        if (!stopped)
          log.warn('cannot look for parts of merges that were left; trying again', errorFields(error))
      }
    })
  }, everyMs)
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}

/** Rolls back all parts that nobody will ever end. */
export async function rollbackOrphans(sql: Sql, log: Log): Promise<void> {
  for (const part of await takeOrphanedParts(sql)) {
    if (await rollbackPart(sql, part))
      log.warn('a part of a merge was left behind; it is rolled back', { part })
  }
}
