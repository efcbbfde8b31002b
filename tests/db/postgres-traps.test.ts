import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { finished } from 'node:stream/promises'
import postgres from 'postgres'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { refusal } from '../support/refusal.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

// What patches/postgres@3.4.9.patch mends. Each of these fails with the package as it is published.

let database: FreshDatabase

beforeAll(async () => {
  database = await freshDatabase()
  await database.sql`create table numbers (n int primary key)`
})

afterAll(() => database[Symbol.asyncDispose]())

/** A client with a single connection, which shows at once when that one is left unusable. */
function connect(): postgres.Sql {
  return postgres(database.url, { max: 1, onnotice: () => {} })
}

/** Rejects what would otherwise hang for ever. */
async function within<T>(work: Promise<T>, timeoutMs = 3000): Promise<T> {
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${timeoutMs} ms`)), timeoutMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** The rows of a query that may never come. */
async function answer(query: Promise<Iterable<unknown>>): Promise<unknown[]> {
  return [...(await within(query))]
}

async function kill(pid: unknown): Promise<void> {
  await database.sql`select pg_terminate_backend(${Number(pid)})`
  const gone = () => database.sql`select 1 from pg_stat_activity where pid = ${Number(pid)}`
  while ((await gone()).length > 0);
}

async function pidOf(tx: postgres.Sql | postgres.TransactionSql): Promise<number> {
  return (await tx<{ pid: number }[]>`select pg_backend_pid() as pid`)[0]?.pid ?? 0
}

test('a COPY that is told so takes messages with their headers, and does not wrap them again', async () => {
  const sql = connect()
  const copied = sql.begin(async (tx) => {
    const writable = await tx`copy numbers from stdin`.writable()
    Object.assign(writable, { framed: true })
    const text = Buffer.from('.....4711\n4712\n')
    text[0] = 'd'.charCodeAt(0)
    text.writeUInt32BE(text.length - 1, 1)
    writable.end(text)
    await finished(writable)
    const rows = await answer(tx`delete from numbers where n in (4711, 4712) returning n`)
    expect(rows).toHaveLength(2)
  })
  await within(copied)
  await sql.end()
})

describe('a COPY that is rejected when all is written already', () => {
  const cases: [string, string, string][] = [
    ['for its last row', '1\n2\nbad\n', 'invalid input syntax for type integer: "bad"'],
    ['for a key that is there twice', '1\n2\n1\n', 'duplicate key value violates unique constraint'],
  ]
  for (const [why, rows, error] of cases) {
    test(why, async () => {
      const sql = connect()
      const copied = sql.begin(async (tx) => {
        const writable = await tx`copy numbers from stdin`.writable()
        writable.end(rows)
        await finished(writable)
      })
      expect(await refusal(within(copied))).toMatch(error)
      expect(await answer(sql`select count(*)::int as n from numbers`)).toEqual([{ n: 0 }])
      await sql.end({ timeout: 1 })
    })
  }
})

test('a large COPY to the client leaves its connection usable', async () => {
  const sql = connect()
  let bytes = 0
  const rows = sql`copy (select repeat('x', 99) from generate_series(1, 50000)) to stdout`
  for await (const piece of await rows.readable()) {
    bytes += piece.length
  }
  expect(bytes).toBe(5_000_000)
  expect(await answer(sql`select 1 as one`)).toEqual([{ one: 1 }])
  await sql.end({ timeout: 1 })
})

describe('a connection that is lost', () => {
  test('while a query of a transaction runs rejects it, and the next query gets a new one', async () => {
    const sql = connect()
    for (let round = 0; round < 3; round++) {
      const lost = sql.begin(async (tx) => {
        const pid = await pidOf(tx)
        const slept = tx`select pg_sleep(10)`.execute()
        slept.catch(() => {})
        await kill(pid)
        await slept
      })
      expect(await refusal(within(lost))).toMatch('CONNECTION_CLOSED')
      expect(await answer(sql`select 1 as one`)).toEqual([{ one: 1 }])
    }
    await sql.end({ timeout: 1 })
  })

  test('while it asks for the types of arrays rejects nothing that nobody waits for', async () => {
    await using proxy = await startFaultProxy(database.url)
    const unhandled: unknown[] = []
    const note = (error: unknown) => void unhandled.push(error)
    process.on('unhandledRejection', note)
    const sql = postgres(proxy.by(database.url), { max: 1, onnotice: () => {} })
    const cut = proxy.watch({ texts: ['typarray'], from: 'client', when: 'before', strike: () => 'reset' })
    await within(sql`select 1`.execute()).catch(() => {})
    await within(cut)
    // an array: the types have to be asked for anew
    expect([...(await within(sql`select ${['a', 'b']}::text[] as list`.execute()))]).toEqual([
      { list: ['a', 'b'] },
    ])
    await sql.end()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('during a COPY rejects it, and the next query gets a new one', async () => {
    const sql = connect()
    for (let round = 0; round < 3; round++) {
      const lost = sql.begin(async (tx) => {
        const pid = await pidOf(tx)
        const writable = await tx`copy numbers from stdin`.writable()
        const ended = finished(writable)
        ended.catch(() => {})
        writable.write('1\n')
        await kill(pid)
        while (!writable.destroyed)
          await new Promise<unknown>((done) => writable.write('2\n'.repeat(1000), done))
        await ended
      })
      expect(await refusal(within(lost))).toMatch(/CONNECTION_CLOSED|ECONNRESET|EPIPE|ECANCELED/)
      expect(await answer(sql`select count(*)::int as n from numbers`)).toEqual([{ n: 0 }])
    }
    await sql.end({ timeout: 1 })
  })

  test('between two queries of a transaction never lets the second run outside of it', async () => {
    const sql = connect()
    let second: Promise<unknown> | undefined
    const lost = sql.begin(async (tx) => {
      const pid = await pidOf(tx)
      // waits for the only connection, and so for the one that follows it
      const waiting = sql`select 1`.execute()
      await kill(pid)
      await waiting
      second = tx`insert into numbers values (1)`.execute()
      await second
    })
    expect(await refusal(within(lost))).toMatch('CONNECTION_CLOSED')
    while (!second) await new Promise((again) => setImmediate(again))
    expect(await refusal(within(second))).toMatch('CONNECTION_CLOSED')
    expect(await answer(database.sql`select n from numbers`)).toEqual([])
    await sql.end({ timeout: 1 })
  })
})
