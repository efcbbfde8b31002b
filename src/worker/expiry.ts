import { deleteOldRejects } from '../db/rejects-read.ts'
import type { Sql } from '../db/postgres.ts'
import { errorFields, type Log } from '../log.ts'

/** Rows of one statement, so that it is short; and statements of one sweep, so that it ends. */
const BATCH_ROWS = 10_000
const BATCHES = 100

/**
 * Deletes rows that jobs have left out, once they are older than `days`. Every node does this; what one of them has
 * taken the others pass.
 */
export function startRejectSweep(
  sql: Sql,
  { everyMs, days, log }: { everyMs: number; days: number; log: Log },
): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const sweep = async () => {
    let deleted = 0
    for (let batch = 0; batch < BATCHES && !stopped; batch++) {
      const count = await deleteOldRejects(sql, { days, limit: BATCH_ROWS })
      deleted += count
      if (count < BATCH_ROWS) break
    }
    if (deleted > 0) log.info('rows that were left out long ago are deleted', { deleted, days })
  }
  const timer = setInterval(() => {
    running = running.then(async () => {
      if (stopped) return
      await sweep().catch((error: unknown) => {
        if (!stopped) log.warn('cannot delete old rejects; trying again', errorFields(error))
      })
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
