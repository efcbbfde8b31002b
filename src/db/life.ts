import type { Problem } from '../errors.ts'
import type { Phase, Status } from '../job.ts'
import { type Change, statesThatMay } from '../life.ts'
import { fenced, type Fence } from './claims.ts'
import { wakeNext } from './ends.ts'
import { writeJobLog } from './jobs.ts'
import { limitWait } from './locks.ts'
import { type Sql, sqlState, storable, type Transaction } from './postgres.ts'

/** How long the end of a job from outside waits for whoever has its row, in milliseconds. */
const ROW_LOCK_MS = 1000

/** The state of a job, as src/life.ts names it. */
function stateOf(sql: Sql | Transaction) {
  return sql`case when status <> 'processando' then status when decision is not null then 'decided' else phase end`
}

/** The condition under which something may happen to a job. */
export function allows(sql: Sql | Transaction, change: Change) {
  return sql`${stateOf(sql)} in ${sql(statesThatMay(change))}`
}

/** A job that was ended from outside: what is left to be cleared after it. */
export type Ended = { id: string; figura: string; status: Status; attempts: number; stage: number | null }

/**
 * Cancels a job, whoever has it: the fence of its merge will find that it has ended. Undefined: it has ended already,
 * its merge is decided, or its row is held by the transaction that is ending it.
 */
export async function cancelJob(
  sql: Sql,
  { figura, id }: { figura: string; id: string },
  { node, by }: { node: string; by: string },
): Promise<Ended | undefined> {
  return endNow(sql, async (tx) => {
    const [job] = await tx<Ended[]>`
      update bulk.job set status = 'cancelado', phase = null, finished_at = clock_timestamp()
      where id = ${id} and figura = ${figura} and ${allows(tx, 'cancel')}
      returning id, figura, status, attempts, stage
    `
    if (!job) return undefined
    const line = { level: 'info', node, thread: null, attempt: job.attempts, phase: null, ms: null } as const
    await writeJobLog(tx, id, { ...line, message: 'the job was cancelled', data: { by } })
    return job
  })
}

/** A job whose time is over. */
export type Overdue = {
  id: string
  figura: string
  attempts: number
  phase: Phase | null
  startedAt: Date
  deadlineAt: Date
  /** Why its last try was put off, if it was. */
  waiting: string | null
}

/** Jobs whose time is over by PostgreSQL's clock, the longest overdue first. */
export async function findOverdue(sql: Sql, limit: number): Promise<Overdue[]> {
  return sql<Overdue[]>`
    select id, figura, attempts, phase, started_at, deadline_at, waiting ->> 'detail' as waiting from bulk.job
    where status = 'processando' and deadline_at <= now() and decision is null
    order by deadline_at limit ${limit}
  `
}

/** Ends a job whose time is over. Undefined: it has ended by itself, or is about to. */
export async function endOverdue(
  sql: Sql,
  { id, attempts, phase }: Overdue,
  problem: Problem,
  node: string,
): Promise<Ended | undefined> {
  return endNow(sql, async (tx) => {
    const [job] = await tx<Ended[]>`
      update bulk.job set
        status = 'erro', phase = null, finished_at = clock_timestamp(), error = ${tx.json(storable(problem))},
        dead_letter = 'due'
      where id = ${id} and deadline_at <= now() and ${allows(tx, 'fail')}
      returning id, figura, status, attempts, stage
    `
    const line = { level: 'error', node, thread: null, attempt: attempts, phase, ms: null } as const
    if (job) await writeJobLog(tx, id, { ...line, message: problem.detail, data: { code: problem.code } })
    return job
  })
}

/** Ends a job from outside, and lets the next one have its turn. Undefined: its row is with whoever is ending it. */
async function endNow(
  sql: Sql,
  end: (tx: Transaction) => Promise<Ended | undefined>,
): Promise<Ended | undefined> {
  try {
    return await sql.begin(async (tx) => {
      // whoever merges has the row only from the end of the job to the COMMIT
      await limitWait(tx, ROW_LOCK_MS)
      const job = await end(tx)
      if (job) await wakeNext(tx, job.id)
      return job
    })
  } catch (error) {
    // lock_not_available
    if (sqlState(error) === '55P03') return undefined
    throw error
  }
}

/** Whether a piece of work still counts: false when its job has ended, or went to somebody else. */
export async function isOurs(sql: Sql, fence: Fence): Promise<boolean> {
  const [row] = await sql<{ ours: boolean }[]>`
    select exists (
      select from bulk.job where id = ${fence.job} and status = 'processando' and ${fenced(sql, fence)}
    ) as ours
  `
  return row?.ours ?? false
}

/** Whether a job has ended, so that nobody needs what it left behind. */
export async function hasEnded(sql: Sql, job: string): Promise<boolean> {
  const [row] = await sql<{ ended: boolean }[]>`
    select not exists (
      select from bulk.job where id = ${job} and status in ('enfileirado', 'processando')
    ) as ended
  `
  return row?.ended ?? true
}

/** Forgets the chunks of an ended job. Apart from its end, since a chunk's mark takes the same rows the other way. */
export async function forgetChunks(sql: Sql, job: string): Promise<void> {
  await sql`delete from bulk.chunk where job = ${job}`
}

/** Drops a table of ours, and waits for its users no longer than so. @throws PostgreSQL's 55P03 when it is in use */
export async function dropSoon(sql: Sql, dropSql: string, waitMs: number): Promise<void> {
  await sql.begin(async (tx) => {
    await limitWait(tx, waitMs)
    await tx.unsafe(dropSql)
  })
}
