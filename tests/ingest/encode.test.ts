import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { openDuckdb, type Duckdb } from '../../src/db/duckdb.ts'
import { createEncoder } from '../../src/ingest/encode.ts'
import { MESSAGE_HEADER_BYTES } from '../../src/ingest/message.ts'
import { copyByBindings, copyByLibc } from '../../src/ingest/memory.ts'
import { duck } from '../support/parquet.ts'
import { refusal } from '../support/refusal.ts'
import { freshDatabase, freshFolder, type FreshDatabase } from '../support/servers.ts'
import { edgeSamples, numericRows, numericSamples, typeOf } from './edges.ts'
import { encodeAll, roundTrip, type Sample } from './round-trip.ts'

const folder = freshFolder()
let database: FreshDatabase
let duckdb: Duckdb

beforeAll(async () => {
  database = await freshDatabase()
  duckdb = await openDuckdb({ workDir: folder.path, memoryBytes: 512 * 1024 * 1024 })
})

afterAll(async () => {
  await duckdb.close()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const load = (samples: Sample[], from: string) => roundTrip(database.sql, duckdb, { samples, from })
const one = (type: string, value: string): Sample => ({ type: typeOf(type), value })

describe('PostgreSQL reads what DuckDB holds', () => {
  test('for the edges of every type, over several chunks', async () => {
    const { rows, differences } = await load(edgeSamples(), 'range(5000) t(i)')
    expect(rows).toBe(5000)
    expect(differences).toEqual([])
  })

  test('byte for byte as PostgreSQL writes it itself', async () => {
    // jsonb and char come back in PostgreSQL's own spelling
    const samples = edgeSamples().filter(({ type }) => type.kind !== 'jsonb' && type.kind !== 'char')
    const { sent, sentBack } = await load(samples, 'range(3000) t(i)')
    expect(Buffer.compare(sent, sentBack)).toBe(0)
  })

  for (let precision = 1; precision <= 38; precision++) {
    test(`for numeric(${precision}) of every scale`, async () => {
      const found = await load(numericSamples(precision), `range(${numericRows(precision)}) t(i)`)
      expect(found.differences).toEqual([])
      expect(Buffer.compare(found.sent, found.sentBack)).toBe(0)
    })
  }

  test('for texts of any length', async () => {
    const lengths = [...Array(70).keys(), 1000, 65_535, 65_536, 100_000, 3_000_000]
    const samples = [
      one('text', `repeat('x', i::int)`),
      one('bytea', `repeat('\\xFE', i::int)::blob`),
      one('integer', 'i'),
    ]
    const { differences } = await load(samples, `(select unnest([${lengths.join(', ')}]) as i)`)
    expect(differences).toEqual([])
  })

  test('when all is null, when nothing is, and when there are no rows', async () => {
    const nulls = edgeSamples().map(({ type }) => ({ type, value: 'null' }))
    expect((await load(nulls, 'range(2500) t(i)')).differences).toEqual([])
    expect((await load(edgeSamples({ nulls: false }), 'range(2500) t(i)')).differences).toEqual([])
    expect(await load(edgeSamples(), 'range(0) t(i)')).toMatchObject({ rows: 0, differences: [] })
  })

  test('for a NaN, whose sign is kept', async () => {
    const samples = [one('double precision', `-('nan'::double)`), one('real', `-('nan'::float)`)]
    const { sent, sentBack, differences } = await load(samples, 'range(1) t(i)')
    expect(differences).toEqual([])
    expect(Buffer.compare(sent, sentBack)).toBe(0)
    expect(sent.toHex()).toContain('fff8000000000000')
  })
})

describe('a value that PostgreSQL has no room for is refused, and never becomes another', () => {
  const refused: [string, string, RegExp][] = [
    ['timestamp', `timestamp '290309-12-22 (BC) 00:00:00'`, /timestamp out of range/],
    ['timestamp', `timestamp '290000-01-01 (BC) 00:00:00'`, /timestamp out of range/],
    ['timestamptz', `timestamptz '290309-12-22 (BC) 00:00:00+00'`, /timestamp out of range/],
    ['date', `date '5877642-06-25 (BC)'`, /date out of range/],
    // 10,957 days later this one would be the infinity
    ['date', `date '1970-01-01' - 2147472692`, /date out of range/],
    ['date', `date '5881580-07-10'`, /date out of range/],
    ['text', `'a' || chr(0)`, /invalid byte sequence/],
    ['varchar(3)', `'abcd'`, /value too long/],
    ['jsonb', `'{'`, /invalid input syntax for type json/],
  ]
  for (const [type, value, error] of refused) {
    test(`${type}: ${value}`, async () => {
      expect(await refusal(load([one(type, value)], 'range(1) t(i)'))).toMatch(error)
    })
  }
})

describe('the vectors of a result are flat', () => {
  const samples = edgeSamples()

  test('for rows that a filter, a limit or an order has left', async () => {
    for (const from of [
      'range(9000) t(i) where i % 3 = 1',
      '(from range(9000) t(i) offset 4001)',
      '(from range(9000) t(i) order by i desc)',
    ]) {
      expect((await load(samples, from)).differences).toEqual([])
    }
  })

  test('for constants, sequences and lists that share their elements', async () => {
    const constants = edgeSamples({ nulls: false }).map(({ type, value }) => ({
      type,
      value: value.replaceAll('i *', '1 *'),
    }))
    expect((await load(constants, 'range(3000) t(i)')).differences).toEqual([])
    const lists = [
      one('bigint', 'i'),
      one('bigint[]', 'range(1000)[i % 7 : i % 11]'),
      one('text[]', `(['um', null, 'uma marca mais longa', 'x'])[1 : i % 5]`),
      one('text[]', `list_filter(['a', 'treze letras.', null], x -> x is not null or i % 2 = 0)`),
      one('text[]', `case when i % 2 = 0 then ['constante e longa'] end`),
      one('numeric(20,4)[]', `[i, null, i / 3]`),
    ]
    expect((await load(lists, 'range(5000) t(i)')).differences).toEqual([])
  })

  test('for a parquet file, with and without dictionaries', async () => {
    const columns = samples.map(({ value }, at) => `${value} as c${at}`).join(', ')
    for (const [name, version] of [
      ['plain', 'V1'],
      ['delta', 'V2'],
    ] as const) {
      const path = join(folder.path, `${name}.parquet`)
      const writer = await duck()
      await writer.run(`copy (select ${columns} from range(20000) t(i)) to '${path}'
        (format parquet, parquet_version ${version}, row_group_size 4096,
          dictionary_size_limit ${name === 'plain' ? 0 : 4096})`)
      writer.closeSync()
      const read = samples.map(({ type }, at) => ({ type, value: `c${at}` }))
      const from = `(select *, file_row_number as i from read_parquet('${path}', file_row_number = true)
        where file_row_number between 3000 and 12000)`
      const { rows, differences } = await load(read, from)
      expect({ rows, differences }).toEqual({ rows: 9001, differences: [] })
    }
  })
})

describe('the bytes do not depend on', () => {
  const samples = [...edgeSamples(), one('text', `repeat('longo ', (i % 50)::int)`)]
  const from = 'range(5000) t(i)'

  test('how strings are copied', async () => {
    if (!copyByLibc) throw new Error('libc cannot be opened here')
    const byLibc = await encodeAll(duckdb, { samples, from, options: { copy: copyByLibc } })
    const byBindings = await encodeAll(duckdb, { samples, from, options: { copy: copyByBindings } })
    expect(byLibc.length).toBeGreaterThan(1_000_000)
    expect(Buffer.compare(byLibc, byBindings)).toBe(0)
  })

  test('the size of the frames', async () => {
    const whole = await encodeAll(duckdb, { samples, from, options: { frameBytes: 64 * 1024 * 1024 } })
    for (const frameBytes of [1, 1000, 65_536, 1_000_003]) {
      const parts = await encodeAll(duckdb, { samples, from, options: { frameBytes } })
      expect(Buffer.compare(parts, whole)).toBe(0)
    }
  })
})

test('frames keep to their size, but for a row that is larger', async () => {
  const sizes: number[] = []
  const encoder = createEncoder([{ type: typeOf('text') }], { frameBytes: 10_000 })
  const lengths = `case when i = 2500 then 50000 else 500 end`
  for await (const frame of encoder.frames(
    duckdb.stream(`select repeat('x', ${lengths}) from range(5000) t(i)`),
  )) {
    sizes.push(frame.length - MESSAGE_HEADER_BYTES)
  }
  expect(sizes.filter((size) => size > 10_002)).toEqual([50_006])
  expect(encoder.rows).toBe(5000)
})

test('a frame stays as it is while the next one is made', async () => {
  const encoder = createEncoder([{ type: typeOf('text') }], { frameBytes: 10_000 })
  let last = { frame: new Uint8Array(), copy: new Uint8Array() }
  let frames = 0
  for await (const frame of encoder.frames(
    duckdb.stream(
      `select repeat(i::varchar, case when i = 2500 then 50000 else 100 end) from range(5000) t(i)`,
    ),
  )) {
    expect(Buffer.compare(last.frame, last.copy)).toBe(0)
    last = { frame, copy: frame.slice() }
    frames++
  }
  expect(frames).toBeGreaterThan(100)
})

test('nulls of required columns are counted, with the first rows of the stream that have them', async () => {
  const encoder = createEncoder([
    { type: typeOf('bigint'), required: true },
    { type: typeOf('text'), required: true },
    { type: typeOf('text'), required: false },
    { type: typeOf('integer[]'), required: true },
  ])
  const nullText = `case when i in (2100, 4999) then null else 'x' end`
  const nullList = `case when i < 4000 then [i, null] end`
  const sql = `select i, ${nullText}, null::varchar, ${nullList}::integer[] from range(5000) t(i)`
  for await (const _ of encoder.frames(duckdb.stream(sql)));
  expect(encoder.nulls).toEqual([
    { count: 0, rows: [] },
    { count: 2, rows: [2100, 4999] },
    { count: 0, rows: [] },
    { count: 1000, rows: [4000, 4001, 4002, 4003, 4004] },
  ])
})
