import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Duckdb, openDuckdb } from '../../src/db/duckdb.ts'
import { parseType } from '../../src/figura/type-names.ts'
import { castText } from '../../src/ingest/fit-text.ts'
import { duckLiteral } from '../../src/quote.ts'
import { freshFolder } from '../support/servers.ts'

let duckdb: Duckdb
const folder = freshFolder()
beforeAll(async () => {
  duckdb = await openDuckdb({ workDir: folder.path, memoryBytes: 64 * 1024 * 1024 })
})
afterAll(async () => {
  await duckdb.close()
  folder[Symbol.dispose]()
})

/** What texts become, as DuckDB spells it; null: the text is no such value. */
const READ: Record<string, Record<string, string | null>> = {
  bigint: {
    '12': '12',
    ' -12 ': '-12',
    '+7': '7',
    '9223372036854775807': '9223372036854775807',
    '9223372036854775808': null,
    '1.5': null,
    '1e3': null,
    '': null,
    doze: null,
  },
  smallint: { '32767': '32767', '32768': null },
  'numeric(10,2)': {
    '1.5': '1.50',
    '1.500': '1.50',
    '1.555': null,
    '-0.01': '-0.01',
    '12345678.90': '12345678.90',
    '123456789': null,
    '1e3': null,
    NaN: null,
    '1,5': null,
  },
  'numeric(5,0)': { '12345': '12345', '12.0': '12', '12.5': null },
  'double precision': { '1.5': '1.5', '1e3': '1000.0', nan: 'nan', x: null },
  boolean: { true: 'true', F: 'false', '1': 'true', talvez: null },
  date: { '2026-02-28': '2026-02-28', '2026-02-29': null, '2026-02-28 10:00': null, '28/02/2026': null },
  time: { '10:30': '10:30:00', '10:30:15.123456': '10:30:15.123456', '25:00': null },
  timestamp: {
    '2026-02-28T10:00:00': '2026-02-28 10:00:00',
    '2026-02-28 10:00': '2026-02-28 10:00:00',
    '2026-02-28': '2026-02-28 00:00:00',
    '2026-02-28T10:00:00Z': null,
    ontem: null,
  },
  timestamptz: {
    '2026-02-28T10:00:00Z': '2026-02-28 10:00:00+00',
    '2026-02-28T10:00:00-03:00': '2026-02-28 13:00:00+00',
    '2026-02-28 10:00:00': '2026-02-28 10:00:00+00',
  },
  uuid: { '3f2504e0-4f89-11d3-9a0c-0305e82c3301': '3f2504e0-4f89-11d3-9a0c-0305e82c3301', x: null },
  bytea: { '\\xDEAD': '\\xDE\\xAD', 'aGk=': 'hi', '\\xZZ': null, a: null },
  text: { ' a ': ' a ' },
  'integer[]': { '[1, 2]': '[1, 2]', '[a]': null, '[1, NULL]': '[1, NULL]' },
  'numeric(4,1)[]': { '[1.5, 2]': '[1.5, 2.0]', '[1.55]': null },
}

describe.each(Object.entries(READ))('a text is read as %s', (name, texts) => {
  test.each(Object.entries(texts))('%p becomes %p', async (text, expected) => {
    expect(await read(name, text)).toBe(expected)
  })
})

test('a decimal comma is one where the figura says so', async () => {
  expect(await read('numeric(10,2)', '1,5', ',')).toBe('1.50')
  expect(await read('double precision', '-1,25', ',')).toBe('-1.25')
  expect(await read('numeric(10,2)', '1.000,5', ',')).toBe(null)
})

async function read(name: string, text: string, decimal: '.' | ',' = '.'): Promise<unknown> {
  const type = parseType(name)
  if (typeof type === 'string') throw new Error(type)
  const [row] = await duckdb.query<{ value: unknown }>(
    `select cast(${castText(type, 't', { decimal })} as varchar) as value from (select ${duckLiteral(text)} as t)`,
  )
  return row?.value
}
