import type { Sql } from './postgres.ts'

/** A request that may be sent again: the key that its caller gave it, the SHA-256 of its body, how long both count. */
export type Once = { caller: string; figura: string; key: string; body: string; keepMs: number }

/** The job that was made of a request with this key. `same`: its body was this one. */
export async function findOnce(sql: Sql, once: Once): Promise<{ job: string; same: boolean } | undefined> {
  const [row] = await sql<{ job: string; same: boolean }[]>`
    select job, body = ${once.body} as same from bulk.idempotency
    where caller = ${once.caller} and figura = ${once.figura} and key = ${once.key}
      and at > now() - ${once.keepMs} * interval '1 millisecond'
  `
  return row
}

/**
 * The statement that keeps a key for a job, as a part of the one that makes the job: it gives a row when the key was
 * free, or its time over. A twin waits here until the first of them is committed.
 */
export function keepOnce(sql: Sql, once: Once, job: string) {
  return sql`
    insert into bulk.idempotency as kept (caller, figura, key, body, job)
    values (${once.caller}, ${once.figura}, ${once.key}, ${once.body}, ${job})
    on conflict (caller, figura, key) do update set body = excluded.body, job = excluded.job, at = now()
      where kept.at <= now() - ${once.keepMs} * interval '1 millisecond'
    returning job`
}

/** Deletes up to `limit` keys that are older than so many milliseconds, and says how many. */
export async function deleteOldKeys(
  sql: Sql,
  { keepMs, limit }: { keepMs: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    delete from bulk.idempotency where (caller, figura, key) in (
      select caller, figura, key from bulk.idempotency
      where at <= now() - ${keepMs} * interval '1 millisecond'
      order by at limit ${limit} for update skip locked
    )
  `
  return count
}
