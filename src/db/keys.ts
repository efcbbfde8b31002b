import type { Grants, KeyDigest } from '../key.ts'
import type { Sql } from './postgres.ts'

/** A key that may be used at this moment. `leftMs`: until it expires, by PostgreSQL's clock; null: it does not. */
export type UsableKey = KeyDigest & { name: string; grants: Grants; leftMs: number | null }

/** The key of that id, if there is one that has neither expired nor been revoked. */
export async function findUsableKey(sql: Sql, id: string): Promise<UsableKey | undefined> {
  const [key] = await sql<UsableKey[]>`
    select id, name, hash, grants, extract(epoch from expires_at - now())::float8 * 1000 as left_ms
    from bulk.api_key
    where id = ${id} and revoked_at is null and (expires_at is null or expires_at > now())
  `
  return key
}

/** Keeps a new key. `days`: until it expires. */
export async function insertKey(
  sql: Sql,
  { id, hash, name, grants, days }: KeyDigest & { name: string; grants: Grants; days: number | null },
): Promise<void> {
  await sql`
    insert into bulk.api_key (id, name, hash, grants, expires_at)
    values (${id}, ${name}, ${hash}, ${sql.json(grants)}, now() + ${days} * interval '1 day')
  `
}

export type ListedKey = {
  id: string
  name: string
  grants: Grants
  createdAt: Date
  expiresAt: Date | null
  state: 'valid' | 'expired' | 'revoked'
}

/** All keys that there ever were, oldest first. */
export async function listKeys(sql: Sql): Promise<ListedKey[]> {
  return sql<ListedKey[]>`
    select id, name, grants, created_at, expires_at,
      case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'valid' end as state
    from bulk.api_key order by created_at, id
  `
}

/** Revokes a key for good. False: there is none of that id. */
export async function revokeKey(sql: Sql, id: string): Promise<boolean> {
  const { count } = await sql`
    update bulk.api_key set revoked_at = coalesce(revoked_at, now()) where id = ${id}
  `
  return count === 1
}
