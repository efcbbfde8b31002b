import type postgres from 'postgres'
import { insertKey } from '../../src/db/keys.ts'
import type { Sql } from '../../src/db/postgres.ts'
import { type Grants, makeKey } from '../../src/key.ts'

/** Makes a key, and gives its id and the header that shows it. */
export async function freshKey(
  sql: Sql | postgres.Sql,
  grants: Grants,
  days: number | null = null,
): Promise<{ id: string; text: string; headers: { authorization: string } }> {
  const { text, ...digest } = makeKey()
  await insertKey(sql as Sql, { ...digest, name: 'test', grants, days })
  return { id: digest.id, text, headers: { authorization: `Bearer ${text}` } }
}
