import { afterAll, beforeAll, expect, test } from 'bun:test'
import { openPostgres, sqlState, type Sql } from '../../src/db/postgres.ts'
import { copyInto } from '../../src/ingest/copy.ts'
import { asMessage } from '../../src/ingest/message.ts'
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await database.sql`create table linhas (id int)`
})
afterAll(() => database[Symbol.asyncDispose]())

/** What became of work on a link that goes dead while it runs, and after how many seconds that was known. */
type Fate = { code: string | undefined; seconds: number }

const DEAD: [string, (sql: Sql, proxy: FaultProxy) => Promise<unknown>][] = [
  [
    'all links go dead while a statement runs',
    (sql, proxy) => {
      setTimeout(() => proxy.mute('both'), 500)
      return sql`select pg_sleep(2)`
    },
  ],
  [
    'a firewall forgets the link, and the answer of a statement is lost',
    (sql, proxy) =>
      sql.begin(async (tx) => {
        setTimeout(() => proxy.mute('from', 'present'), 500)
        await tx`select pg_sleep(2)`
      }),
  ],
  [
    'a question is lost on its way',
    async (sql, proxy) => {
      proxy.mute('to', 'present')
      await sql`select 1`
    },
  ],
  [
    'rows of a COPY are lost on their way',
    (sql, proxy) =>
      sql.begin(async (tx) => {
        setTimeout(() => proxy.mute('to', 'present'), 500)
        await copyInto(tx, 'copy linhas from stdin', endless())
      }),
  ],
  [
    'the end of a COPY is lost on its way',
    (sql, proxy) =>
      sql.begin(async (tx) => {
        proxy.mute('to', 'present')
        await copyInto(tx, 'copy linhas from stdin', some())
      }),
  ],
]

test('a link that is dead and not closed is given up within 30 s, whatever it was busy with', async () => {
  const fates = await Promise.all(DEAD.map(([, work]) => fateOf(work)))
  console.log(DEAD.map(([what], at) => `${what}: ${fates[at]?.seconds.toFixed(1)} s`).join('\n'))
  expect(fates.map(({ code }) => code)).toEqual(DEAD.map(() => 'CONNECTION_CLOSED'))
  for (const { seconds } of fates) expect(seconds).toBeLessThan(30)
}, 60_000)

test('a link that is silent is not given up while the server is at work, or our rows are long in coming', async () => {
  const sql = openPostgres(database.url, { max: 3, name: 'test' })
  const held = await database.sql.reserve()
  await held`begin`
  await held`lock table linhas in access exclusive mode`
  const locked = sql`select count(*) from linhas`.then(() => 'answered')
  await Promise.all([
    sql`select pg_sleep(22)`,
    sql.begin(async (tx) => {
      await tx`create temporary table devagar (id int)`
      expect(await copyInto(tx, 'copy devagar from stdin', slow())).toBe(2 * ROW.length)
    }),
  ])
  await held`rollback`
  held.release()
  expect(await locked).toBe('answered')
  await sql.end()
}, 60_000)

/** Does work on a link of its own through a proxy, and on the same pool once more when the way is open again. */
async function fateOf(work: (sql: Sql, proxy: FaultProxy) => Promise<unknown>): Promise<Fate> {
  await using proxy = await startFaultProxy(database.url)
  const sql = openPostgres(proxy.by(database.url), { max: 1, name: 'test' })
  await sql`select 1`
  const started = performance.now()
  const code = await work(sql, proxy).then(() => 'no error', sqlState)
  const seconds = (performance.now() - started) / 1000
  proxy.hear()
  await sql`select 1`
  await sql.end()
  return { code, seconds }
}

const ROW = '1\n'

async function* endless(): AsyncGenerator<Uint8Array> {
  while (true) yield frame(ROW.repeat(50_000))
}

async function* some(): AsyncGenerator<Uint8Array> {
  yield frame(ROW)
}

async function* slow(): AsyncGenerator<Uint8Array> {
  yield frame(ROW)
  await Bun.sleep(22_000)
  yield frame(ROW)
}

function frame(rows: string): Uint8Array {
  return asMessage(new Uint8Array([0, 0, 0, 0, 0, ...new TextEncoder().encode(rows)]))
}
