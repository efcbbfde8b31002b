import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import type { ClaimedJob } from '../../src/db/claims.ts'
import { type Duckdb, openDuckdb } from '../../src/db/duckdb.ts'
import { BulkError } from '../../src/errors.ts'
import { parseType } from '../../src/figura/type-names.ts'
import { checkKeys } from '../../src/ingest/check.ts'
import type { Context } from '../../src/ingest/context.ts'
import { openFile } from '../../src/ingest/file.ts'
import type { KeyFile } from '../../src/ingest/keys.ts'
import { keepOpened } from '../../src/ingest/opened.ts'
import { type FileServer, serveFile } from '../source/file-server.ts'
import { freshFolder } from '../support/servers.ts'
import { writeParquet } from '../support/parquet.ts'

const folder = freshFolder()
const { bounds, ...rest } = readConfig({
  DATABASE_URL: 'postgres://u@h/d',
  NATS_URL: 'nats://h:4222',
  ALLOW_LOOPBACK_SOURCES: 'true',
  SOURCES: '*',
  WORK_DIR: folder.path,
})
// row groups of 2,048 rows, each in a piece of its own
const config = { ...rest, bounds: { ...bounds, tailBytes: 4096, pieceBytes: 1024 } }
/** Room for two row groups. */
const room = { kept: 5000, sieved: 9000 }
let duckdb: Duckdb

beforeAll(async () => {
  duckdb = await openDuckdb({ workDir: folder.path, memoryBytes: 64 * 1024 * 1024 })
})
afterAll(async () => {
  await duckdb.close()
  folder[Symbol.dispose]()
})

const RISING = 'i'
const SHUFFLED = '(i * 7919) % 20000'
const FALLING = '20000 - i'

describe.each([
  ['in the order of the key', RISING],
  ['in the opposite order', FALLING],
  ['in no order', SHUFFLED],
])('in a file of more rows than there is room for, %s', (_, id) => {
  test('keys that are all there once pass', async () => {
    expect(await check(`select ${id} as id from range(20000) t(i)`)).toBe('passed')
  })

  test('a key that stands in two row groups far apart is found, with its rows', async () => {
    const select = `select case when i = 19000 then (select ${id} from (select 3 as i)) else ${id} end as id`
    expect(await check(`${select} from range(20000) t(i)`)).toMatchObject({
      code: 'key_repeated',
      count: 1,
      rows: 2,
      examples: [{ times: 2, first_row: 4, last_row: 19001 }],
    })
  })

  test('keys that are null are counted over the whole file', async () => {
    expect(
      await check(`select case when i % 4000 = 7 then null else ${id} end as id from range(20000) t(i)`),
    ).toMatchObject({ code: 'key_null', count: 5, first_rows: [8, 4008, 8008, 12008, 16008] })
  })

  test('when every key stands there twice, all are counted', async () => {
    const select = `select (${id}) // 2 as id from range(20000) t(i)`
    expect(await check(select)).toMatchObject({
      code: 'key_repeated',
      count: 10_000 - halved(id),
      rows: 20_000 - 2 * halved(id),
    })
  })
})

/** 20,000 - i runs from 1 to 20,000: two of the halves, 0 and 10,000, are there once. */
function halved(id: string): number {
  return id === FALLING ? 1 : 0
}

describe('equal hashes', () => {
  test.each([
    [
      'of a few keys',
      (columns: string[]) => `case when ${columns[0]} < 50 then 7 else hash(${columns[0]}) end`,
    ],
    ['of all keys', () => '1'],
    ['of more keys than can be named', (columns: string[]) => `hash(${columns[0]} // 2)`],
  ])('%s are no fault of the file', async (_, hash) => {
    expect(await check(`select ${SHUFFLED} as id from range(20000) t(i)`, { hash })).toBe('passed')
  })

  test('do not hide the key that is repeated, nor count others with it', async () => {
    const select = `select case when i = 19000 then 1 else i end as id from range(20000) t(i)`
    expect(await check(select, { hash: (columns) => `${columns[0]} // 100` })).toMatchObject({
      code: 'key_repeated',
      count: 1,
      rows: 2,
      examples: [{ key: { id: '1' }, times: 2, first_row: 2, last_row: 19001 }],
    })
  })
})

test('a key of two columns is compared as a whole, and char(n) without its trailing blanks', async () => {
  const types = { loja: 'char(4)', dia: 'date' }
  const select = (loja: string) =>
    `select ${loja} as loja, date '2020-01-01' + (i // 10)::integer as dia from range(20000) t(i)`
  expect(await check(select(`'l' || i % 10`), { types })).toBe('passed')
  expect(await check(select(`case when i = 15 then 'l4  ' else 'l' || i % 10 end`), { types })).toMatchObject(
    {
      code: 'key_repeated',
      count: 1,
      examples: [{ first_row: 15, last_row: 16 }],
    },
  )
})

test('keys in order are read once, others twice; statistics that are missing prove no order', async () => {
  expect((await requests(`select i as id from range(20000) t(i)`)).times).toBe(1)
  // a first look tells that these do not rise, before they are read by their hashes
  expect((await requests(`select ${FALLING} as id from range(20000) t(i)`)).times).toBe(2)
  expect((await requests(`select ${SHUFFLED} as id from range(20000) t(i)`)).times).toBe(7)
  // texts have statistics too, which may be cut short
  const text = await requests(`select lpad(i::varchar, 9, '0') as id from range(20000) t(i)`, { id: 'text' })
  expect(text.times).toBe(6)
})

test('the disk holds no more than two pieces of the keys at any time, and nothing afterwards', async () => {
  const held: number[] = []
  const select = `select (hash(i % 19990) // 4)::bigint as id from range(20000) t(i)`
  const onRequest = () => void held.push(piecesOnDisk())
  expect(await check(select, { onRequest })).toMatchObject({ code: 'key_repeated', count: 10 })
  expect(held.length).toBeGreaterThan(60)
  expect(Math.max(...held)).toBe(2)
  expect(piecesOnDisk()).toBe(0)
})

function piecesOnDisk(): number {
  return [...new Bun.Glob('keys-*-*.parquet').scanSync(folder.path)].length
}

type Options = {
  types?: Record<string, string>
  hash?: KeyFile['hash']
  onRequest?: () => void
}

/** 'passed', or the error as the job's row would show it. All columns are the key. */
async function check(select: string, options: Options = {}): Promise<unknown> {
  await using server = await serveKeys(select, options)
  return await checkServed(server, options)
}

/** How often the first row group was asked for. */
async function requests(select: string, types?: Record<string, string>): Promise<{ times: number }> {
  await using server = await serveKeys(select, {})
  expect(await checkServed(server, { types })).toBe('passed')
  return { times: server.ranges().filter((range) => range.startsWith('bytes=4-')).length }
}

async function serveKeys(select: string, { onRequest }: Options): Promise<FileServer> {
  const path = join(folder.path, 'written.parquet')
  await writeParquet(path, select, { rowGroupRows: 2048 })
  return serveFile(readFileSync(path), {
    lie: (_, __, honest) => {
      onRequest?.()
      honest()
    },
  })
}

async function checkServed(
  { origin }: FileServer,
  { types = { id: 'bigint' }, hash }: Options,
): Promise<unknown> {
  const columns = Object.entries(types).map(([name, text]) => {
    const type = parseType(text)
    if (typeof type === 'string') throw new Error(type)
    return { name, type, required: true, from: name }
  })
  const figura = {
    name: 'chaves',
    description: '',
    table: { schema: 'public', name: 'chaves' },
    key: Object.keys(types),
    columns,
    sources: [`${origin}/`],
  }
  const facts = { secret: null, etag: null, bytes: null }
  const job = { id: 'a', url: `${origin}/um.parquet`, definition: figura, ...facts }
  const context = { config, duckdb, opened: keepOpened(0) }
  const { signal } = new AbortController()
  await using file = await openFile(
    job as unknown as ClaimedJob,
    { name: 'keys', stage: 1, planned: false, no: 0 },
    context as unknown as Context,
    signal,
  )
  try {
    await checkKeys({ duckdb, file, figura, signal, hash, room })
    return 'passed'
  } catch (error) {
    if (!(error instanceof BulkError)) throw error
    return { code: error.code, ...error.extra }
  }
}
