import { afterAll, beforeAll, expect, test } from 'bun:test'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

// What administrators give to a database or a role, with other applications in mind.
const ODD = {
  statement_timeout: '100ms',
  lock_timeout: '100ms',
  default_transaction_isolation: 'repeatable read',
  default_transaction_read_only: 'on',
  datestyle: 'German',
  intervalstyle: 'iso_8601',
  standard_conforming_strings: 'off',
}

let database: FreshDatabase
let sql: Sql

beforeAll(async () => {
  database = await freshDatabase()
  await database.sql`create table numbers (n int primary key)`
  for (const [name, value] of Object.entries(ODD))
    await database.sql.unsafe(
      `alter database ${new URL(database.url).pathname.slice(1)} set ${name} = '${value}'`,
    )
  sql = openPostgres(database.url, { max: 2, name: 'test' })
})

afterAll(async () => {
  await sql.end({ timeout: 5 })
  await database[Symbol.asyncDispose]()
})

test('a statement may take its time, whatever the database says', async () => {
  expect(await sql`select 1 from pg_sleep(0.3)`).toHaveLength(1)
})

test('who waits for a lock is not sent away, and sees what was committed meanwhile', async () => {
  const locked = Promise.withResolvers<void>()
  const first = sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(1)`
    await tx`insert into numbers values (1)`
    locked.resolve()
    await Bun.sleep(300)
  })
  await locked.promise
  const found = await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(1)`
    return tx`select n from numbers`
  })
  await first
  expect([...found]).toEqual([{ n: 1 }])
})

test('texts are read and written as the service expects them', async () => {
  const [row] =
    await sql`select '2026-11-28'::date::text as day, '1 day 2 hours'::interval::text as time, '\\' as bar`
  expect(row).toEqual({ day: '2026-11-28', time: '1 day 02:00:00', bar: '\\' })
})
