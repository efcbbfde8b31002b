import type { Sql } from './postgres.ts'

/**
 * Deletes up to `limit` jobs that ended more than so many days ago, with all that belongs to them; says how many. None
 * that a request's key still names: keys may be kept for longer, and the request sent again would make a second job.
 */
export async function deleteOldJobs(
  sql: Sql,
  { days, limit }: { days: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    delete from bulk.job where id in (
      select id from bulk.job
      where finished_at < now() - ${days} * interval '1 day' and status in ('completo', 'erro', 'cancelado')
        and not exists (select from bulk.idempotency where idempotency.job = bulk.job.id)
      order by finished_at limit ${limit} for update skip locked
    )
  `
  return count
}

/**
 * Deletes up to `limit` contracts that no job refers to, and says how many. Each is asked for in the order of the
 * index: a plain "is there one" reads a million jobs for a contract that has none, as few contracts have nearly all.
 */
export async function deleteUnusedContracts(sql: Sql, { limit }: { limit: number }): Promise<number> {
  const { count } = await sql`
    delete from bulk.contract where hash in (
      select hash from bulk.contract
      where created_at < now() - interval '1 day'
        and (
          select job.contract from bulk.job where job.contract >= contract.hash order by job.contract limit 1
        ) is distinct from contract.hash
      limit ${limit} for update skip locked
    )
  `
  return count
}
