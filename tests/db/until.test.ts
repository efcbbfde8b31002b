import { afterAll, beforeAll, expect, test } from 'bun:test'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { beginUntil } from '../../src/db/until.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

let database: FreshDatabase
let sql: Sql
let other: Sql

beforeAll(async () => {
  database = await freshDatabase()
  // one connection: what comes after the transaction comes on the very backend that was cancelled
  sql = openPostgres(database.url, { max: 1, name: 'test' })
  other = openPostgres(database.url, { max: 1, name: 'test' })
  await sql`create table one (id int)`
})
afterAll(async () => {
  await Promise.all([sql.end(), other.end()])
  await database[Symbol.asyncDispose]()
})

test('a transaction without a signal that comes is one as ever', async () => {
  const { signal } = new AbortController()
  expect(
    await beginUntil(sql, signal, async (tx) => (await tx`insert into one values (1)`).count, other),
  ).toBe(1)
  expect(await rows()).toBe(1)
})

test('a statement that runs is cancelled, and what was done before is rolled back', async () => {
  const stop = new AbortController()
  const reason = new Error('enough')
  setTimeout(() => stop.abort(reason), 200)
  const started = performance.now()
  const work = beginUntil(
    sql,
    stop.signal,
    async (tx) => {
      await tx`insert into one values (2)`
      await tx`select pg_sleep(30)`
    },
    other,
  )
  expect(await work.catch((error: unknown) => error)).toBe(reason)
  expect(performance.now() - started).toBeLessThan(1500)
  expect(await rows()).toBe(1)
})

test('a statement that begins after the signal is cancelled too', async () => {
  const stop = new AbortController()
  const work = beginUntil(
    sql,
    stop.signal,
    async (tx) => {
      await tx`select 1`
      stop.abort(new Error('enough'))
      await Bun.sleep(250)
      await tx`select pg_sleep(30)`
    },
    other,
  )
  expect(String(await work.catch((error: unknown) => error))).toContain('enough')
})

test('a transaction that did its work before it heard the signal is committed', async () => {
  const stop = new AbortController()
  const work = async (): Promise<string> => {
    stop.abort(new Error('too late'))
    return 'done'
  }
  expect(await beginUntil(sql, stop.signal, work, other)).toBe('done')
})

test('what comes next on the connection is left alone', async () => {
  for (let round = 0; round < 20; round++) {
    const stop = new AbortController()
    const work = beginUntil(sql, stop.signal, (tx) => tx`select pg_sleep(5)`, other).catch(() => {})
    await Bun.sleep(20)
    stop.abort(new Error('enough'))
    await work
    expect((await sql`select 1 as one from pg_sleep(0.03)`)[0]?.one).toBe(1)
  }
})

test('nothing is begun when the signal has come already', async () => {
  const work = beginUntil(sql, AbortSignal.abort(new Error('before')), () =>
    Promise.reject(new Error('begun')),
  )
  expect(String(await work.catch((error: unknown) => error))).toContain('before')
})

test('nothing is begun when the signal comes while a connection is waited for', async () => {
  const stop = new AbortController()
  const busy = sql`select pg_sleep(0.3)`.execute()
  const work = beginUntil(sql, stop.signal, (tx) => tx`select pg_sleep(5)`, other)
  setTimeout(() => stop.abort(new Error('meanwhile')), 50)
  const started = performance.now()
  expect(String(await work.catch((error: unknown) => error))).toContain('meanwhile')
  expect(performance.now() - started).toBeLessThan(1500)
  await busy
})

async function rows(): Promise<number> {
  const [row] = await sql<{ rows: number }[]>`select count(*) as rows from one`
  return row?.rows ?? -1
}
