import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type InProcess, startInProcess } from '../../support/in-process.ts'
import { avroFile, avroLong, avroRows, CODECS } from '../../support/avro.ts'

let service: InProcess
let tables = 0

beforeAll(async () => {
  service = await startInProcess()
})
afterAll(() => service[Symbol.asyncDispose]())

async function load(content: Uint8Array, types: Record<string, string> = { id: 'bigint', nome: 'text' }) {
  const name = `t${tables++}`
  const job = await service.load(service.figura(name, types), service.put(name, content))
  // as texts, which show every digit
  const list = Object.keys(types).map((column) => `${column}::text`)
  const rows = await service.sql.unsafe(`select ${list.join(', ')} from ${name} order by 1`).catch(() => [])
  return { job, rows: rows.map((row): Record<string, unknown> => Object.fromEntries(Object.entries(row))) }
}

/** A file of one field beside the key, and how it stands in a column of that type. */
async function loadField(type: unknown, column: string, values: unknown[]): Promise<unknown[]> {
  const fields = [
    { name: 'id', type: 'int' },
    { name: 'v', type },
  ]
  const schema = { type: 'record', name: 'r', fields }
  const plain = JSON.parse(JSON.stringify(schema).replace(/"logicalType":/g, '"was":'))
  const blocks = avroRows(
    plain,
    values.map((v, id) => ({ id, v })),
  )
  const { job, rows } = await load(avroFile(schema, blocks), { id: 'integer', v: column })
  expect(job).toMatchObject({ status: 'completo', error: null })
  return rows.toSorted((a, b) => Number(a.id) - Number(b.id)).map(({ v }) => v)
}

const PESSOA = {
  type: 'record',
  name: 'Pessoa',
  namespace: 'br.exemplo',
  fields: [
    { name: 'nome', type: ['null', 'string'] },
    { name: 'id', type: 'long' },
  ],
}
const TWO = [
  { id: 1, nome: { string: 'Ana' } },
  { id: 2n ** 63n - 1n, nome: { string: 'José; "Zé"\n2' } },
  { id: -(2n ** 63n), nome: null },
]

test.each(Object.keys(CODECS))('a file in %s is loaded', async (codec) => {
  const { job, rows } = await load(avroFile(PESSOA, avroRows(PESSOA, TWO, 2), { codec }))
  expect(job).toMatchObject({ status: 'completo', format: 'avro', rows: 3, read: 3, inserted: 3 })
  expect(rows.toSorted((a, b) => String(a.id).localeCompare(String(b.id)))).toEqual([
    { id: '-9223372036854775808', nome: null },
    { id: '1', nome: 'Ana' },
    { id: '9223372036854775807', nome: 'José; "Zé"\n2' },
  ])
})

test.each(Object.keys(CODECS))('a large file in %s is loaded in pieces, in order', async (codec) => {
  const people = Array.from({ length: 200_000 }, (_, id) => ({
    id,
    nome: { string: `nome ${id} ${'x'.repeat(id % 300)}` },
  }))
  const { job } = await load(avroFile(PESSOA, avroRows(PESSOA, people), { codec }))
  expect(job).toMatchObject({ status: 'completo', read: 200_000, rows: 200_000, inserted: 200_000 })
  const expected = `'nome ' || id || ' ' || repeat('x', (id % 300)::int)`
  const [sum] = await service.sql.unsafe(
    `select count(*) filter (where nome = ${expected}) as good from t${tables - 1}`,
  )
  expect(sum?.good).toBe(200_000)
})

test('a large file is read in parts, by whatever threads are idle, and its rows are numbered through', async () => {
  await using split = await startInProcess({ AVRO_SPLIT_MB: '1', FIRST_LOAD_ROWS: '0', DIRECT_ROWS: '0' })
  const people = Array.from({ length: 100_000 }, (_, id) => ({
    id,
    nome: { string: `${id} ${'x'.repeat(250)}` },
  }))
  const figura = split.figura('partes', { id: 'bigint', nome: 'text' })
  const blocks = avroRows(PESSOA, people, 500)
  const job = await split.load(figura, split.put('partes', avroFile(PESSOA, blocks)))
  expect(job).toMatchObject({ status: 'completo', rows: 100_000, inserted: 100_000, chunksTotal: 4 })
  const [sum] = await split.sql`select count(*) as good from partes where starts_with(nome, id || ' x')`
  expect(sum?.good).toBe(100_000)
  // the last text of row 90,001 is longer than its block
  blocks[180]!.bytes[blocks[180]!.bytes.length - 253] = 0xff
  const bad = await split.load(figura, split.put('ruim', avroFile(PESSOA, blocks)))
  expect(bad).toMatchObject({ status: 'erro', error: { code: 'file_corrupt' } })
  expect(String(bad.error?.detail)).toMatch(/in row 90[45]\d\d/)
})

describe('every type is loaded exactly', () => {
  const bytesOf = (hex: string) => Buffer.from(hex, 'hex')
  const decimal = { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 4 }
  const fixed = { type: 'fixed', name: 'f', size: 4, logicalType: 'decimal', precision: 9, scale: 2 }
  const packed = { type: 'fixed', name: 'u', size: 16, logicalType: 'uuid' }
  const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e'
  const of = (type: string, logicalType: string) => ({ type, logicalType })
  test.each<[unknown, string, unknown[], (string | null)[]]>([
    ['boolean', 'boolean', [true, false], ['true', 'false']],
    ['int', 'integer', [-(2 ** 31), 2 ** 31 - 1], ['-2147483648', '2147483647']],
    ['float', 'real', [0.1, NaN, -0], ['0.1', 'NaN', '-0']],
    ['double', 'double precision', [0.1, 5e-324, -Infinity], ['0.1', '5e-324', '-Infinity']],
    ['bytes', 'bytea', [bytesOf('00ff0a'), bytesOf('')], ['\\x00ff0a', '\\x']],
    [{ type: 'fixed', name: 'f', size: 2 }, 'bytea', [bytesOf('0001')], ['\\x0001']],
    [{ type: 'enum', name: 'e', symbols: ['A', 'B'] }, 'text', ['B', 'A'], ['B', 'A']],
    ['string', 'text', ['', 'a,"b"\r\n', 'ção'], ['', 'a,"b"\r\n', 'ção']],
    [
      decimal,
      'numeric(38,4)',
      [bytesOf('0a'), bytesOf('ff'), bytesOf('4b3b4ca85a86c47a098a223fffffffff')],
      ['0.0010', '-0.0001', '9999999999999999999999999999999999.9999'],
    ],
    [fixed, 'numeric(9,2)', [bytesOf('ffffff9c'), bytesOf('00000001')], ['-1.00', '0.01']],
    [of('string', 'uuid'), 'uuid', [uuid], [uuid]],
    [packed, 'uuid', [bytesOf(uuid.replaceAll('-', ''))], [uuid]],
    [of('int', 'date'), 'date', [0, -1, 20000], ['1970-01-01', '1969-12-31', '2024-10-04']],
    [of('int', 'time-millis'), 'time', [0, 86_399_999], ['00:00:00', '23:59:59.999']],
    [of('long', 'time-micros'), 'time', [1], ['00:00:00.000001']],
    [
      of('long', 'timestamp-millis'),
      'timestamptz',
      [1, -1],
      ['1970-01-01 00:00:00.001+00', '1969-12-31 23:59:59.999+00'],
    ],
    [of('long', 'timestamp-micros'), 'timestamptz', [253402300799999999n], ['9999-12-31 23:59:59.999999+00']],
    [of('long', 'local-timestamp-micros'), 'timestamp', [1], ['1970-01-01 00:00:00.000001']],
    [of('long', 'local-timestamp-nanos'), 'timestamp', [1000], ['1970-01-01 00:00:00.000001']],
    [['null', 'int'], 'integer', [null, { int: 5 }], [null, '5']],
    [['string', 'null'], 'text', [{ string: '' }, null], ['', null]],
    [{ type: 'array', items: 'string' }, 'text[]', [['a', 'b"'], []], ['{a,"b\\""}', '{}']],
    [{ type: 'array', items: 'long' }, 'bigint[]', [[2n ** 62n, -1]], ['{4611686018427387904,-1}']],
    [
      { type: 'array', items: ['null', 'double'] },
      'double precision[]',
      [[{ double: NaN }, null, { double: 1.5 }]],
      ['{NaN,NULL,1.5}'],
    ],
    [
      ['null', 'string', 'long'],
      'jsonb',
      [null, { string: 'a' }, { long: 2n ** 63n - 1n }],
      [null, '"a"', '9223372036854775807'],
    ],
    [{ type: 'map', values: 'int' }, 'jsonb', [{ a: 1, b: 2 }], ['{"a": 1, "b": 2}']],
    [
      {
        type: 'record',
        name: 'q',
        fields: [
          { name: 'd', type: decimal },
          { name: 'at', type: of('long', 'timestamp-micros') },
        ],
      },
      'jsonb',
      [{ d: bytesOf('4b3b4ca85a86c47a098a223fffffffff'), at: 1 }],
      ['{"d": 9999999999999999999999999999999999.9999, "at": "1970-01-01T00:00:00.000001Z"}'],
    ],
  ])('%j as %s', async (type, column, values, expected) => {
    expect(await loadField(type, column, values)).toEqual(expected)
  })

  test('a record that holds itself', async () => {
    const list = {
      type: 'record',
      name: 'l',
      fields: [
        { name: 'v', type: 'int' },
        { name: 'next', type: ['null', 'l'] },
      ],
    }
    const value = { v: 1, next: { l: { v: 2, next: null } } }
    expect(await loadField(list, 'jsonb', [value])).toEqual(['{"v": 1, "next": {"v": 2, "next": null}}'])
  })
})

describe('a file that is damaged ends its job in erro at the first try', () => {
  const good = () => avroFile(PESSOA, avroRows(PESSOA, TWO, 2), { codec: 'snappy' })
  const changed = (from: number, byte: number) => {
    const bytes = good()
    bytes[bytes.length + from]! ^= byte
    return bytes
  }
  const NULLS = { type: 'array', items: 'null' }
  const one = (bytes: Buffer, rows = 1, type: unknown = 'string') =>
    avroFile(
      {
        type: 'record',
        name: 'r',
        fields: [
          { name: 'id', type: 'long' },
          { name: 'nome', type },
        ],
      },
      [{ rows, bytes }],
    )
  const many = () => {
    const fields = [
      { name: 'id', type: 'long' },
      { name: 'nome', type: ['null', 'string'] },
      { name: 'x', type: NULLS },
    ]
    const row = Buffer.concat([avroLong(1), avroLong(0), avroLong(1e9), avroLong(0)])
    return avroFile({ type: 'record', name: 'r', fields }, [{ rows: 1, bytes: row }])
  }
  const bomb = () => avroFile(PESSOA, [{ rows: 1, bytes: Buffer.alloc(200_000_000) }], { codec: 'deflate' })
  test.each<[string, () => Uint8Array, string, RegExp]>([
    ['the marker at the end of a block', () => changed(-1, 1), 'file_corrupt', /marker/],
    ['the checksum of snappy', () => changed(-17, 1), 'file_corrupt', /checksum|unpacked/],
    ['its end is missing', () => good().subarray(0, -30), 'file_corrupt', /an end after/],
    ['all but the header is missing', () => good().subarray(0, 60), 'file_corrupt', /an end after/],
    [
      'a text longer than its block',
      () => one(Buffer.concat([avroLong(1), avroLong(1e9)])),
      'file_corrupt',
      /beyond its end in row 1/,
    ],
    [
      'a text of negative length',
      () => one(Buffer.concat([avroLong(1), avroLong(-5)])),
      'file_corrupt',
      /a length of -5/,
    ],
    ['a text that is no UTF-8', () => one(Buffer.from([2, 2, 255])), 'file_corrupt', /UTF-8/],
    ['fewer rows than it says', () => one(Buffer.from([2, 2, 97]), 2), 'file_corrupt', /row 2/],
    ['more rows than it says', () => one(Buffer.from([2, 2, 97, 2])), 'file_corrupt', /behind the last row/],
    ['a negative number of rows', () => one(Buffer.from([2, 2, 97]), -1), 'file_corrupt', /-1 rows/],
    [
      'a union without such a branch',
      () => one(Buffer.from([2, 8]), 1, ['null', 'string']),
      'file_corrupt',
      /branch 4/,
    ],
    ['an array of more nulls than anybody has', many, 'file_corrupt', /1000000000 items/],
    [
      'a codec that is not known',
      () => avroFile(PESSOA, avroRows(PESSOA, TWO), { codec: 'bzip2' }),
      'file_not_known',
      /bzip2/,
    ],
    ['a schema that is none', () => avroFile({ type: 'recorde' }, []), 'file_corrupt', /unknown type/],
    ['a schema of no records', () => avroFile('int', []), 'file_corrupt', /no records/],
    ['a block that unpacks to more than anybody has', bomb, 'file_too_large', /unpacked/],
  ])('%s', async (_, content, code, found) => {
    const { job, rows } = await load(content())
    expect(job).toMatchObject({ status: 'erro', error: { code }, putBack: [] })
    expect(String(job.error?.detail)).toMatch(found)
    expect(rows).toEqual([])
  })
})

test('a file without rows is loaded as none', async () => {
  expect((await load(avroFile(PESSOA, []))).job).toMatchObject({ status: 'completo', read: 0 })
})
