import { deleteLeftMarks, findLeftStages, lockStageUser, type LeftStage } from '../db/leftovers.ts'
import { limitWait } from '../db/locks.ts'
import { rollbackPart, takeDecided, takeOrphanedParts } from '../db/parts.ts'
import { isTransient, sqlState, type Sql } from '../db/postgres.ts'
import type { JobEvent } from '../job.ts'
import { errorFields, type Log } from '../log.ts'
import { startRounds, type Rounds } from '../rounds.ts'
import { finishMerge } from './merge-parts.ts'
import { openJobLog } from './report.ts'
import { dropStageSql, stageName } from './sql-postgres.ts'

type Sweeper = { node: string; leaseMs: number; tell: (event: JobEvent) => void; log: Log }

/** Of one kind, in one round: whatever was left, a round is short. */
const LIMIT = 100
const MARKS_LIMIT = 10_000

/** How long the drop of a stage waits for its users, in milliseconds: no longer than deadlocks go unseen. */
const DROP_WAIT_MS = 200

/**
 * Looks again and again for what a crash leaves: merges that were prepared and not ended (a prepared transaction keeps
 * its locks for ever), and stages that nobody will merge. Every node does this; what one has done the others no longer
 * find.
 */
export function startOrphanSweep(sql: Sql, { everyMs, ...sweeper }: Sweeper & { everyMs: number }): Rounds {
  const { log } = sweeper
  return startRounds({ everyMs, failed: 'cannot clear away what was left behind', log }, async (goesOn) => {
    await rollbackOrphans(sql, log)
    if (goesOn()) await finishDecided(sql, sweeper)
    if (goesOn()) await dropLeftStages(sql, log)
    await deleteLeftMarks(sql, MARKS_LIMIT)
  })
}

/** Rolls back all parts that nobody will ever end. */
export async function rollbackOrphans(sql: Sql, log: Log): Promise<void> {
  for (const part of await takeOrphanedParts(sql)) {
    if (await rollbackPart(sql, part))
      log.warn('a part of a merge was left behind; it is rolled back', { part })
  }
}

/** Finishes the merges that were decided by workers who have fallen silent; for that no queue is needed. */
async function finishDecided(sql: Sql, { node, leaseMs, tell, log }: Sweeper): Promise<void> {
  for (const job of await takeDecided(sql, { leaseMs, limit: LIMIT })) {
    const { id, figura, stage, mergeTry, decision } = job
    const report = openJobLog({ sql, log, node, thread: null }, job)
    try {
      if (!(await finishMerge(sql, { job: id, stage, mergeTry }, decision, report))) continue
      report.warn('merge', 'the worker fell silent when its merge was decided; it is finished', {
        connections: decision.length,
      })
      tell({ figura, job: id, status: 'completo' })
    } catch (error) {
      log.warn('a decided merge cannot be finished; it is tried again', { job: id, ...errorFields(error) })
    } finally {
      await report.flush()
    }
  }
}

/**
 * Drops stages whose job is over or has another one. One that is still in use is left to the next round, and so is one
 * on which somebody has made a view, say: the others are dropped all the same.
 */
async function dropLeftStages(sql: Sql, log: Log): Promise<void> {
  for (const left of await findLeftStages(sql, LIMIT)) {
    try {
      if (await dropLeftStage(sql, left)) log.warn('a stage was left behind; it is dropped', left)
    } catch (error) {
      // with the link lost no other could be dropped either
      if (isTransient(error)) throw error
      log.warn('a stage was left behind, and is not dropped', { ...left, ...errorFields(error) })
    }
  }
}

async function dropLeftStage(sql: Sql, left: LeftStage): Promise<boolean> {
  try {
    return await sql.begin(async (tx) => {
      await limitWait(tx, DROP_WAIT_MS)
      if (await lockStageUser(tx, left)) return false
      await tx.unsafe(dropStageSql(stageName(left.job, left.stage)))
      return true
    })
  } catch (error) {
    // lock_not_available
    if (sqlState(error) === '55P03') return false
    throw error
  }
}
