import { quoteLiteral } from '../quote.ts'
import { withoutWaiting } from './locks.ts'
import { sqlState, type Sql, type Transaction } from './postgres.ts'

/** One try to merge a job's stage. Whoever begins the next one has taken the job's merge over. */
export type MergeFence = { job: string; stage: number; mergeTry: number }

/** The name of a part in pg_prepared_xacts, where operators see it too. */
export function partName({ job, mergeTry }: { job: string; mergeTry: number }, part: number): string {
  return `bulk:${job}:${mergeTry}:${part}`
}

/**
 * Begins a try to merge: from now on nobody can decide for an earlier one. Undefined: the job ended, is decided
 * already, or was planned anew.
 */
export async function beginMerge(
  sql: Sql,
  fence: { job: string; stage: number },
): Promise<MergeFence | undefined> {
  const [row] = await sql<{ mergeTry: number }[]>`
    update bulk.job set
      phase = 'merge', merge_try = merge_try + 1,
      stage_ms = coalesce(stage_ms, extract(epoch from clock_timestamp() - staging_at) * 1000)
    from ${withoutWaiting(sql)}
    where id = ${fence.job} and stage = ${fence.stage} and status = 'processando' and decision is null
    returning merge_try
  `
  return row && { ...fence, mergeTry: row.mergeTry }
}

/**
 * Ends a transaction as a part: what it did is safe on disk, neither visible nor lost with its connection, until it
 * is committed or rolled back by name. Gives its transaction id.
 */
export async function preparePart(tx: Transaction, name: string): Promise<string> {
  const [row] = await tx<{ xid: string }[]>`select pg_current_xact_id()::text as xid`
  await tx.unsafe(`prepare transaction ${quoteLiteral(name)}`)
  return row?.xid ?? ''
}

/** Commits a part; false: there is none of that name, or not any more. */
export function commitPart(sql: Sql, name: string): Promise<boolean> {
  return endPart(sql, 'commit', name)
}

/** Rolls a part back; false: there is none of that name, or not any more. */
export function rollbackPart(sql: Sql, name: string): Promise<boolean> {
  return endPart(sql, 'rollback', name)
}

async function endPart(sql: Sql, verb: 'commit' | 'rollback', name: string): Promise<boolean> {
  try {
    await sql.unsafe(`${verb} prepared ${quoteLiteral(name)}`)
    return true
  } catch (error) {
    // undefined_object
    if (sqlState(error) === '42704') return false
    throw error
  }
}

/** Rolls back the parts of a job that tries before `beforeTry` have left. */
export async function rollbackParts(sql: Sql, job: string, beforeTry: number): Promise<void> {
  const rows = await sql<{ gid: string }[]>`
    select gid from pg_prepared_xacts
    where database = current_database() and starts_with(gid, ${`bulk:${job}:`})
      and split_part(gid, ':', 3)::int < ${beforeTry}
  `
  for (const { gid } of rows) await rollbackPart(sql, gid)
}

/**
 * Names of parts that nobody will ever end: their try was given up, or their job is over. A try whose holder has
 * fallen silent is given up here, so that it cannot be decided any more. Decided ones are left to the job's next
 * holder.
 */
export async function takeOrphanedParts(sql: Sql): Promise<string[]> {
  const rows = await sql<{ gid: string }[]>`
    with part as materialized (
      select gid, split_part(gid, ':', 2)::uuid as job, split_part(gid, ':', 3)::int as merge_try
      from pg_prepared_xacts
      where database = current_database() and owner = current_user
        and gid ~ '^bulk:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,9}:[0-9]{1,9}$'
    ), given_up as (
      update bulk.job set merge_try = job.merge_try + 1
      from (select distinct job, merge_try from part) part
      where job.id = part.job and job.merge_try = part.merge_try and job.status = 'processando'
        and job.decision is null and job.lease_until <= now()
      returning job.id
    )
    select gid from part left join bulk.job on job.id = part.job
    where job.id is null or job.status not in ('enfileirado', 'processando')
      or job.merge_try > part.merge_try or job.id in (select id from given_up)
  `
  return rows.map((row) => row.gid)
}

/** A job whose merge is decided, and not carried out. */
export type DecidedJob = {
  id: string
  figura: string
  attempts: number
  stage: number
  mergeTry: number
  decision: string[]
}

/** Takes up to `limit` jobs whose merge was decided by a holder that has fallen silent, each with a new lease. */
export async function takeDecided(
  sql: Sql,
  { leaseMs, limit }: { leaseMs: number; limit: number },
): Promise<DecidedJob[]> {
  return sql<DecidedJob[]>`
    update bulk.job set lease_until = now() + ${leaseMs} * interval '1 millisecond'
    where id in (
      select id from bulk.job
      where decision is not null and status = 'processando' and lease_until <= now()
      order by lease_until limit ${limit} for update skip locked
    )
    returning id, figura, attempts, stage, merge_try, decision
  `
}

/** What became of transactions, in no order: `committed`, `aborted`, `in progress` (a part that still stands). */
export async function statusOfParts(sql: Sql, xids: string[]): Promise<string[]> {
  const rows = await sql<{ status: string | null }[]>`
    select pg_xact_status(xid::xid8) as status from unnest(${xids}::text[]) as xid
  `
  // null: so long ago that it is forgotten, which only what was committed or rolled back can be
  return rows.map((row) => row.status ?? 'forgotten')
}
