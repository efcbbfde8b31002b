import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPostgres, type Sql } from './postgres.ts'

const FOLDER = join(import.meta.dir, 'migrations')

/**
 * Brings the service's own tables to the newest version; where they are, it needs no right but to read. Safe when many
 * nodes start at once: one migrates, the others wait for it and find nothing to do.
 * @throws when the database is unreachable, or was migrated by a newer version of the service.
 */
export async function migrate(databaseUrl: string): Promise<void> {
  const sql = openPostgres(databaseUrl, { max: 1, name: 'bulk migrate' })
  try {
    // by a role that may do nothing of the following, as a service should have
    if (await isMigrated(sql)) return
    await sql.begin(async (tx) => {
      // hashtext('bulk.migrate'): any fixed number, the same on all nodes
      await tx`select pg_advisory_xact_lock(hashtext('bulk.migrate'))`
      await tx`create schema if not exists bulk`
      await tx`create table if not exists bulk.migration (
        name text primary key,
        applied_at timestamptz not null default now()
      )`
      const applied = new Set(
        (await tx<{ name: string }[]>`select name from bulk.migration`).map((row) => row.name),
      )
      const known = migrations()
      const newer = [...applied].filter((name) => !known.includes(name))
      if (newer.length) {
        throw new Error(
          `The database has the migrations ${newer.join(', ')}, which this version of the service does not know. ` +
            'Start the newer version of the service, or use another database.',
        )
      }
      for (const name of known.filter((one) => !applied.has(one))) {
        await tx.unsafe(readFileSync(join(FOLDER, name), 'utf8'))
        await tx`insert into bulk.migration (name) values (${name})`
      }
    })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/**
 * True when the service's tables are those that this version of it knows: every migration is applied, and none that
 * only a newer version has. A node for which it is false must neither serve nor work.
 */
export async function isMigrated(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ found: boolean }[]>`select to_regclass('bulk.migration') is not null as found`
  if (!row?.found) return false
  const applied = new Set(
    (await sql<{ name: string }[]>`select name from bulk.migration`).map(({ name }) => name),
  )
  const known = migrations()
  return applied.size === known.length && known.every((name) => applied.has(name))
}

function migrations(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .sort()
}
