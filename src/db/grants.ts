import { quote } from '../quote.ts'
import type { Sql } from './postgres.ts'

/**
 * Gives a role what the service needs of its own tables, and no more: it owns none of them, and cannot alter them. What
 * it may do with the tables of figuras is theirs to say. Done again after each migration, for tables that are new.
 */
export async function grantService(sql: Sql, role: string): Promise<void> {
  const name = quote(role)
  await sql.begin(async (tx) => {
    await tx.unsafe(`grant usage on schema bulk to ${name}`)
    await tx.unsafe(`grant select, insert, update, delete on all tables in schema bulk to ${name}`)
    await tx.unsafe(`revoke insert, update, delete on bulk.migration from ${name}`)
    // keys are made and revoked by who administers the database; the service only looks at them
    await tx.unsafe(`revoke insert, update, delete on bulk.api_key from ${name}`)
    // it makes the stages, and so owns them
    await tx.unsafe(`grant usage, create on schema bulk_stage to ${name}`)
  })
}
