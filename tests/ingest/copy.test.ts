import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type postgres from 'postgres'
import { copyInto } from '../../src/ingest/copy.ts'
import { asMessage, MESSAGE_HEADER_BYTES } from '../../src/ingest/message.ts'
import { refusal } from '../support/refusal.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

let database: FreshDatabase
let sql: postgres.Sql

beforeAll(async () => {
  database = await freshDatabase()
  sql = database.sql
})

beforeEach(async () => {
  await sql`drop table if exists numbers`
  await sql`create table numbers (n int primary key)`
})

afterAll(() => database[Symbol.asyncDispose]())

const COPY = 'copy numbers from stdin (format text)'

/** Lines first..last, some in each frame; the frames are two buffers by turns, as those of the encoder are. */
async function* lines(
  first: number,
  last: number,
  { frameLines = 1000, bad = -1 } = {},
): AsyncGenerator<Uint8Array> {
  let buffer = Buffer.alloc(MESSAGE_HEADER_BYTES + frameLines * 12)
  let other = Buffer.alloc(buffer.length)
  for (let at = first; at <= last; at += frameLines) {
    const numbers = Array.from({ length: Math.min(frameLines, last - at + 1) }, (_, i) => at + i)
    const text = numbers.map((n) => (n === bad ? 'bad\n' : `${n}\n`)).join('')
    const length = MESSAGE_HEADER_BYTES + buffer.write(text, MESSAGE_HEADER_BYTES)
    yield asMessage(buffer.subarray(0, length))
    ;[buffer, other] = [other, buffer]
  }
}

async function count(): Promise<number> {
  return Number((await sql`select count(*) as n from numbers`)[0]?.n)
}

/** The client is whole again when every one of its connections answers. */
async function expectUsable(rows = 0): Promise<void> {
  expect(await count()).toBe(rows)
  await Promise.all(Array.from({ length: 8 }, () => sql`select pg_sleep(0.01)`))
  const [row] = await sql`select count(*)::int as open from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'`
  expect(row?.open).toBe(0)
}

test('all frames arrive, though their buffer is used again, and the bytes are counted', async () => {
  const bytes = await sql.begin((tx) => copyInto(tx, COPY, lines(0, 499_999)))
  expect(bytes).toBe(10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5 + 90_000 * 6 + 400_000 * 7)
  const [row] = await sql`select count(*)::int as n, sum(n)::text as sum, max(n) as max from numbers`
  expect(row).toEqual({ n: 500_000, sum: '124999750000', max: 499_999 })
})

test('no frame at all is a COPY of no rows', async () => {
  expect(await sql.begin((tx) => copyInto(tx, COPY, lines(0, -1)))).toBe(0)
  await expectUsable(0)
})

describe('an error of the server rejects, and the client stays usable', () => {
  const cases: [string, () => Promise<unknown>, RegExp][] = [
    [
      'at the start',
      () => sql.begin((tx) => copyInto(tx, 'copy nothing from stdin', lines(0, 9))),
      /"nothing" does not exist/,
    ],
    [
      'in the first frame',
      () => sql.begin((tx) => copyInto(tx, COPY, lines(0, 999_999, { bad: 5 }))),
      /syntax for type integer: "bad"/,
    ],
    [
      'in the middle',
      () => sql.begin((tx) => copyInto(tx, COPY, lines(0, 999_999, { bad: 500_000 }))),
      /: "bad"/,
    ],
    ['in the last line', () => sql.begin((tx) => copyInto(tx, COPY, lines(0, 9, { bad: 9 }))), /: "bad"/],
    [
      'after the last line',
      () => sql.begin((tx) => copyInto(tx, COPY.replace('text', 'binary'), lines(0, 9))),
      /signature not recognized/,
    ],
    [
      'of a constraint',
      () =>
        sql.begin(async (tx) => {
          await copyInto(tx, COPY, lines(0, 9))
          await copyInto(tx, COPY, lines(9, 9))
        }),
      /duplicate key/,
    ],
  ]
  for (const [when, work, error] of cases) {
    test(when, async () => {
      expect(await refusal(work())).toMatch(error)
      await expectUsable()
    })
  }

  test('of a trigger that runs at the end of the statement', async () => {
    await sql`create function refuse() returns trigger language plpgsql as
      $$ begin raise 'refused at the end'; end $$`
    await sql`create trigger refuse after insert on numbers for each statement execute function refuse()`
    expect(await refusal(sql.begin((tx) => copyInto(tx, COPY, lines(0, 9))))).toMatch('refused at the end')
    await expectUsable()
  })
})

test('an error of the frames rejects with that error, and nothing is loaded', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield* lines(0, 9999)
    throw new TypeError('the file ends here')
  }
  expect(await refusal(sql.begin((tx) => copyInto(tx, COPY, failing())))).toBe('the file ends here')
  await expectUsable()
})

test('the frames are told when nobody wants them any more', async () => {
  let ended = false
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* lines(0, 99_999_999, { bad: 1 })
    } finally {
      ended = true
    }
  }
  expect(await refusal(sql.begin((tx) => copyInto(tx, COPY, watched())))).toMatch(/: "bad"/)
  expect(ended).toBe(true)
})

describe('a signal', () => {
  test('stops a COPY with its reason, and nothing is loaded', async () => {
    const stop = new AbortController()
    let frames = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for await (const frame of lines(0, 99_999_999)) {
        if (++frames === 50) stop.abort(new Error('stopped by the test'))
        yield frame
      }
    }
    const copied = sql.begin((tx) => copyInto(tx, COPY, endless(), stop.signal))
    expect(await refusal(copied)).toMatch('stopped by the test')
    expect(frames).toBeLessThan(55)
    await expectUsable()
  })

  test('that was given before stops it before it begins', async () => {
    const stopped = AbortSignal.abort(new Error('stopped before'))
    expect(await refusal(sql.begin((tx) => copyInto(tx, COPY, lines(0, 9), stopped)))).toMatch(
      'stopped before',
    )
    await expectUsable()
  })

  test('does nothing after the end', async () => {
    const stop = new AbortController()
    await sql.begin((tx) => copyInto(tx, COPY, lines(0, 9), stop.signal))
    stop.abort()
    await expectUsable(10)
  })
})

test('a lost connection rejects, and nothing is loaded', async () => {
  const copied = sql.begin(async (tx) => {
    const pid = (await tx`select pg_backend_pid() as pid`)[0]?.pid
    async function* killed(): AsyncGenerator<Uint8Array> {
      yield* lines(0, 99_999)
      await sql`select pg_terminate_backend(${pid})`
      yield* lines(100_000, 99_999_999)
    }
    await copyInto(tx, COPY, killed())
  })
  expect(await refusal(copied)).toMatch(/CONNECTION_CLOSED|terminating connection|EPIPE|ECONNRESET/)
  await expectUsable()
})

test('while PostgreSQL is busy no more frames are made than the sockets hold', async () => {
  await sql`create table texts (t text)`
  await sql`create function wait() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(4711); return new; end $$`
  await sql`create trigger wait before insert on texts for each row execute function wait()`
  const lineBytes = 1024 * 1024
  const line = asMessage(Buffer.alloc(MESSAGE_HEADER_BYTES + lineBytes, 'x'))
  line[line.length - 1] = 10
  let frames = 0
  async function* texts(): AsyncGenerator<Uint8Array> {
    for (; frames < 60; frames++) yield line
  }
  const blocker = await sql.reserve()
  await blocker`select pg_advisory_lock(4711)`
  const copied = sql.begin((tx) => copyInto(tx, 'copy texts from stdin', texts()))
  const waiting = () => sql`select 1 from pg_locks where locktype = 'advisory' and not granted`
  while ((await waiting()).length === 0);
  for (let seen = -1; seen !== frames; await Bun.sleep(50)) seen = frames
  expect(frames).toBeLessThan(30)
  await blocker`select pg_advisory_unlock(4711)`
  blocker.release()
  expect(await copied).toBe(60 * lineBytes)
})
