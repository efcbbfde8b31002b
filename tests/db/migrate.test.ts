import { expect, test } from 'bun:test'
import { isMigrated, migrate } from '../../src/db/migrate.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { freshDatabase } from '../support/servers.ts'

/** A database of its own, and a client as the service opens it. */
async function openFresh() {
  const database = await freshDatabase()
  const sql = openPostgres(database.url, { max: 1, name: 'test' })
  return {
    url: database.url,
    sql,
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 5 })
      await database[Symbol.asyncDispose]()
    },
  }
}

test('a database is migrated when every migration is applied', async () => {
  await using fresh = await openFresh()
  expect(await isMigrated(fresh.sql)).toBe(true)
})

test('a database that the service has never seen is not migrated', async () => {
  await using fresh = await openFresh()
  await fresh.sql`drop schema bulk cascade`
  expect(await isMigrated(fresh.sql)).toBe(false)
})

test('a database that lacks a migration is not migrated, until it is applied', async () => {
  await using fresh = await openFresh()
  await fresh.sql`delete from bulk.migration`
  expect(await isMigrated(fresh.sql)).toBe(false)
  await fresh.sql`drop schema bulk, bulk_stage cascade`
  await migrate(fresh.url)
  expect(await isMigrated(fresh.sql)).toBe(true)
})

test('a database that a newer version migrated is refused, and is not migrated for this one', async () => {
  await using fresh = await openFresh()
  await fresh.sql`insert into bulk.migration (name) values ('9999_newer.sql')`
  await expect(migrate(fresh.url)).rejects.toThrow('9999_newer.sql')
  expect(await isMigrated(fresh.sql)).toBe(false)
})
