import { nextWaiting } from '../db/ends.ts'
import { dropSoon, type Ended, forgetChunks, hasEnded } from '../db/life.ts'
import type { Sql } from '../db/postgres.ts'
import type { JobEvent, Task } from '../job.ts'
import { errorFields, type Log } from '../log.ts'
import { dropStageSql, stageName } from './sql-postgres.ts'

/** How long a stage is waited for that is still in use, in milliseconds: its last user drops it. */
const DROP_MS = 500

/** The task that lets the next job of a figura merge, if one stands staged. */
export async function nextTurn(sql: Sql, figura: string): Promise<Task[]> {
  const next = await nextWaiting(sql, figura)
  return next ? [{ kind: 'merge', figura, job: next.id, ring: next.ring, stage: next.stage }] : []
}

type Told = {
  tell(event: JobEvent): Promise<void>
  ring(tasks: Task[]): Promise<unknown>
  log: Log
}

/**
 * What follows when a job was ended from outside, by a request or by its deadline: it is told, the next one of its
 * figura has its turn, and what it has left goes. Never throws; whatever fails here the sweepers do later.
 */
export async function afterEnd(sql: Sql, job: Ended, { tell, ring, log }: Told): Promise<void> {
  const { id, figura, status } = job
  try {
    await Promise.all([tell({ figura, job: id, status }), nextTurn(sql, figura).then(ring)])
  } catch (error) {
    log.warn('cannot tell of a job that was ended; the next one is rung for later', {
      job: id,
      ...errorFields(error),
    })
  }
  await clearEnded(sql, job, log)
}

/**
 * Clears what a job has left that was ended from outside: its chunks and its stage. Does nothing for one that lives,
 * and never throws: whoever lets go of the job last does it again, and what a crash leaves the sweeper finds.
 */
export async function clearEnded(
  sql: Sql,
  { id, stage }: { id: string; stage: number | null },
  log: Log,
): Promise<void> {
  try {
    if (stage === null || !(await hasEnded(sql, id))) return
    await forgetChunks(sql, id)
    await dropSoon(sql, dropStageSql(stageName(id, stage)), DROP_MS)
  } catch (error) {
    log.info('the stage of an ended job is still in use', { job: id, stage, ...errorFields(error) })
  }
}
