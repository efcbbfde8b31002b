import type { Bounds } from '../config.ts'
import { deleteOldKeys } from '../db/idempotency.ts'
import type { Sql } from '../db/postgres.ts'
import { deleteOldRejects } from '../db/rejects-read.ts'
import { deleteOldJobs, deleteUnusedContracts } from '../db/retention.ts'
import type { Log } from '../log.ts'
import { startRounds, type Rounds } from '../rounds.ts'

/** Statements of one kind in a round, so that it ends. */
const BATCHES = 100

type Kept = Pick<Bounds, 'jobsDays' | 'rejectsDays' | 'idempotencyMs'>

/** What is kept for a time: its name, the rows of one statement (so that each is short), and the statement. */
type Expiring = { what: string; rows: number; remove: (limit: number) => Promise<number> }

/**
 * Deletes what is older than it has to be kept. Every node does this, without a leader: what one of them has taken the
 * others pass.
 */
export function startExpiry(
  sql: Sql,
  { everyMs, kept, log }: { everyMs: number; kept: Kept; log: Log },
): Rounds {
  return startRounds({ everyMs, failed: 'cannot delete what is old', log }, async (goesOn) => {
    const deleted: Record<string, number> = {}
    for (const { what, rows, remove } of expiring(sql, kept)) {
      for (let batch = 0; batch < BATCHES && goesOn(); batch++) {
        const count = await remove(rows)
        if (count > 0) deleted[what] = (deleted[what] ?? 0) + count
        if (count < rows) break
      }
    }
    if (Object.keys(deleted).length > 0) log.info('what is older than it is kept is deleted', deleted)
  })
}

/**
 * In this order: a job's rejects are gone before it, however many they are, and its contract after it. A job takes its
 * log along, some ten lines.
 */
function expiring(sql: Sql, { jobsDays, rejectsDays, idempotencyMs }: Kept): Expiring[] {
  return [
    {
      what: 'rejects',
      rows: 10_000,
      remove: (limit) => deleteOldRejects(sql, { days: rejectsDays, limit }),
    },
    { what: 'keys', rows: 10_000, remove: (limit) => deleteOldKeys(sql, { keepMs: idempotencyMs, limit }) },
    { what: 'jobs', rows: 1000, remove: (limit) => deleteOldJobs(sql, { days: jobsDays, limit }) },
    { what: 'contracts', rows: 100, remove: (limit) => deleteUnusedContracts(sql, { limit }) },
  ]
}
