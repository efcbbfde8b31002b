import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { type InProcess, startInProcess } from '../../support/in-process.ts'

let service: InProcess
let tables = 0

beforeAll(async () => {
  service = await startInProcess()
})
afterAll(() => service[Symbol.asyncDispose]())

/** Loads a file of that content into a table of its own. */
async function load(
  content: string | Uint8Array | (string | Uint8Array)[],
  types: Record<string, string> = { id: 'bigint', nome: 'text' },
  other: Partial<ReturnType<InProcess['figura']>> = {},
) {
  const name = `t${tables++}`
  const paths = [content].flat().map((one, at) => service.put(`${name}-${at}`, one))
  const figura = { ...service.figura(name, types), ...other }
  const job = await service.load(figura, paths)
  const [table] = await service.sql`select to_regclass(${name}) is not null as there`
  const rows = table?.there ? await service.sql.unsafe(`select * from ${name} order by 1`) : []
  return { job, rows: rows.map((row): Record<string, unknown> => Object.fromEntries(Object.entries(row))) }
}

const TWO = [
  { id: 1, nome: 'Ana' },
  { id: 2, nome: 'José; "Zé"\n2' },
]

describe('a CSV is loaded', () => {
  test('with texts in quotes, which may have separators, quotes and lines in them', async () => {
    const { job, rows } = await load('id,nome\n1,Ana\n2,"José; ""Zé""\n2"\n')
    expect(job).toMatchObject({ status: 'completo', format: 'csv', rows: 2, read: 2, inserted: 2 })
    expect(rows).toEqual(TWO)
  })

  test.each([
    ['lines that end in \\r\\n', 'id,nome\r\n1,Ana\r\n2,Bia\r\n'],
    ['lines of both endings, and none at the end', 'id,nome\r\n1,Ana\n2,Bia'],
    ['a byte order mark', '\ufeffid,nome\n1,Ana\n2,Bia\n'],
    ['empty lines', '\n\nid,nome\n\n1,Ana\n\n\n2,Bia\n\n'],
    ['quotes everywhere', '"id","nome"\n"1","Ana"\n"2","Bia"\n'],
    ['columns in another order, and more of them', 'outra,nome,id\nx,Ana,1\n"a\nb",Bia,2\n'],
    ['names in other letters', 'ID,Nome\n1,Ana\n2,Bia\n'],
  ])('with %s', async (_, content) => {
    const { rows } = await load(content)
    expect(rows).toEqual([
      { id: 1, nome: 'Ana' },
      { id: 2, nome: 'Bia' },
    ])
  })

  test('with the separator, the quote and the null of the figura', async () => {
    const csv = { delimiter: ';', quote: "'", nullText: 'NULL', decimal: '.' as const }
    const { rows } = await load(`id;nome\n1;'a;''b'\n2;NULL\n3;'NULL'\n4;\n`, undefined, { csv })
    expect(rows.map(({ nome }) => nome)).toEqual(["a;'b", null, 'NULL', ''])
  })

  test('with nulls where nothing stands, and empty texts in quotes', async () => {
    const { rows } = await load('id,nome\n1,\n2,""\n3," "\n')
    expect(rows.map(({ nome }) => nome)).toEqual([null, '', ' '])
  })

  test('without a row, as zero rows', async () => {
    const { job, rows } = await load('id,nome\n')
    expect(job).toMatchObject({ status: 'completo', read: 0 })
    expect(rows).toEqual([])
  })

  test('of one column', async () => {
    const { rows } = await load('id\n3\n\n4\n"5"', { id: 'bigint' })
    expect(rows).toEqual([{ id: 3 }, { id: 4 }, { id: 5 }])
  })
})

describe('an NDJSON file is loaded', () => {
  test('with keys in any order, and nulls where one is missing', async () => {
    const lines = ['{"id": 1, "nome": "Ana"}', ' {"nome":null,"id":2} ', '', '{"x":{"id":9},"id":3}']
    const { job, rows } = await load(`${lines.join('\r\n')}\n`)
    expect(job).toMatchObject({ status: 'completo', format: 'ndjson', rows: 3 })
    expect(rows).toEqual([
      { id: 1, nome: 'Ana' },
      { id: 2, nome: null },
      { id: 3, nome: null },
    ])
  })

  test('with every letter that JSON can say, and nested values as JSON', async () => {
    const { rows } = await load(
      `{"id":1,"nome":"a\\"b\\\\\\n\\u00e9,'{[","j":{"a":[1,{"b":"}"}],"c":"\\\\"}}\n`,
      { id: 'bigint', nome: 'text', j: 'text' },
    )
    expect(rows).toEqual([{ id: 1, nome: 'a"b\\\né,\'{[', j: '{"a":[1,{"b":"}"}],"c":"\\\\"}' }])
  })

  test('with numbers of any number of digits, and JSON as it stands there', async () => {
    const line = `{"id":1,"n":12345678901234567890.12,"t":1.10,"j":"a","k":[1.10,{"b":null}],"l":["\\u00e9","b,c","x"]}`
    const { rows } = await load(line, {
      id: 'bigint',
      n: 'numeric(30,2)',
      t: 'text',
      j: 'jsonb',
      k: 'jsonb',
      l: 'text[]',
    })
    expect(rows).toEqual([
      {
        id: 1,
        n: '12345678901234567890.12',
        t: '1.10',
        j: 'a',
        k: [1.1, { b: null }],
        l: ['é', 'b,c', 'x'],
      },
    ])
  })

  test('beyond the bytes by which its keys are known', async () => {
    const line = (id: number) => `{"id":${id},"nome":"${'x'.repeat(1000)}"}\n`
    const content = Array.from({ length: 20_000 }, (_, id) => line(id)).join('')
    const { job, rows } = await load(content)
    expect(job).toMatchObject({ status: 'completo', rows: 20_000, read: 20_000 })
    expect(rows).toHaveLength(20_000)
    const late = await load(`${content}{"id":1,"outra":1}\n{"id":2,"Nome":"y"}\n`)
    expect(late.job).toMatchObject({ status: 'erro', error: { code: 'file_corrupt', row: 20_002 } })
    expect(late.rows).toEqual([])
  })
})

describe('what is packed is unpacked', () => {
  const csv = 'id,nome\n1,Ana\n2,"José; ""Zé""\n2"\n'
  const json = '{"id":1,"nome":"Ana"}\n{"id":2,"nome":"José; \\"Zé\\"\\n2"}\n'
  test.each([
    ['gzip', gzipSync(csv)],
    ['zstd', zstdCompressSync(csv)],
    ['several members of gzip', Buffer.concat([gzipSync(csv.slice(0, 12)), gzipSync(csv.slice(12))])],
    [
      'several frames of zstd',
      Buffer.concat([zstdCompressSync(csv.slice(0, 12)), zstdCompressSync(csv.slice(12))]),
    ],
    ['NDJSON in gzip', gzipSync(json)],
    ['NDJSON in zstd', zstdCompressSync(json)],
  ])('%s', async (_, content) => {
    const { job, rows } = await load(content)
    expect(job).toMatchObject({ status: 'completo' })
    expect(rows).toEqual(TWO)
  })

  test('in pieces of bounded size, with the rows in order, and nothing stays on the disk', async () => {
    const lines = Array.from({ length: 300_000 }, (_, id) => `${id},"nome, ${'x'.repeat(100)} ${id}"`)
    const { job, rows } = await load(gzipSync(`id,nome\n${lines.join('\n')}`))
    expect(job).toMatchObject({ status: 'completo', read: 300_000, rows: 300_000 })
    expect(rows[299_999]).toEqual({ id: 299_999, nome: `nome, ${'x'.repeat(100)} 299999` })
    expect(readdirSync(service.folder).filter((name) => name.includes(job.id))).toEqual([])
  })
})

describe('a file ends its job in erro at the first try, with nothing in the table', () => {
  const half = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 20)
  const long = `id,nome\n${Array.from({ length: 1000 }, (_, id) => `${id},${Math.sin(id)}`).join('\n')}`
  test.each<[string, string | Uint8Array, Record<string, unknown>]>([
    ['too few fields', 'id,nome\n1,Ana\n2\n', { code: 'file_corrupt', row: 2 }],
    ['too many fields', 'id,nome\n1,Ana\n2,b,c\n', { code: 'file_corrupt', row: 2 }],
    ['a quote that is never closed', 'id,nome\n1,"Ana\n2,b\n', { code: 'file_corrupt', row: 1 }],
    ['text behind a quote', 'id,nome\n1,"Ana"x\n', { code: 'file_corrupt', row: 1 }],
    ['a quote within a field', 'id,nome\n1,Ana "x"\n', { code: 'file_corrupt', row: 1 }],
    ['a lone carriage return', 'id,nome\n1,a\rb\n', { code: 'file_corrupt', row: 1 }],
    ['Latin-1', Buffer.from('id,nome\n1,Ana\n2,José\n', 'latin1'), { code: 'file_corrupt', row: 2 }],
    ['UTF-16', Buffer.from('\ufeffid,nome\n1,Ana\n', 'utf16le'), { code: 'file_not_known' }],
    ['a line that is not JSON', '{"id":1}\n{"id":2\n', { code: 'file_corrupt', row: 2 }],
    ['a line that is no object', '{"id":1}\n[2]\n', { code: 'file_corrupt', row: 2 }],
    ['an array of JSON', '[{"id":1}]\n', { code: 'file_not_known' }],
    ['JSON in Latin-1', Buffer.from('{"id":1,"nome":"é"}\n', 'latin1'), { code: 'file_corrupt', row: 1 }],
    ['nothing', '', { code: 'file_not_known' }],
    ['no line', '\n\n', { code: 'file_corrupt' }],
    ['nothing in gzip', gzipSync(''), { code: 'file_not_known' }],
    ['anything', new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]), { code: 'file_not_known' }],
    ['a page', '<!DOCTYPE html><html>', { code: 'file_not_known' }],
    ['a zip', Buffer.from('PK\x03\x04aaaaaaaa'), { code: 'file_not_known' }],
    ['a gzip within a gzip', gzipSync(gzipSync('id,nome\n')), { code: 'file_not_known' }],
    ['half of a gzip', half(gzipSync(long)), { code: 'file_corrupt' }],
    ['half of a zstd', half(zstdCompressSync(long)), { code: 'file_corrupt' }],
    [
      'something behind a gzip',
      Buffer.concat([gzipSync(long), Buffer.from('abc')]),
      { code: 'file_corrupt' },
    ],
    [
      'something behind a zstd',
      Buffer.concat([zstdCompressSync(long), Buffer.from('abcd')]),
      { code: 'file_corrupt' },
    ],
    ['a column too few', 'nome\nAna\n', { code: 'schema_differs' }],
    ['two columns of one name', 'id,nome,nome\n1,a,b\n', { code: 'schema_differs' }],
  ])('%s', async (_, content, error) => {
    const { job, rows } = await load(content)
    expect(job).toMatchObject({ status: 'erro', error, putBack: [] })
    expect(rows).toEqual([])
    expect(readdirSync(service.folder).filter((name) => name.includes(job.id))).toEqual([])
  })
})

describe('several files in one job', () => {
  test('are loaded as one, whatever each of them holds', async () => {
    const name = `t${tables++}`
    const parquet = await service.write(`${name}.p`, `select 9::bigint as id, 'p' as nome`)
    const figura = service.figura(name, { id: 'bigint', nome: 'text' })
    const files = [
      service.put(`${name}.1`, 'id,nome\n1,a\n'),
      parquet,
      service.put(`${name}.2`, gzipSync('{"nome":"n","id":5}\n')),
    ]
    expect(await service.load(figura, files)).toMatchObject({
      status: 'completo',
      format: null,
      read: 3,
      inserted: 3,
      rows: 3,
    })
    const rows = await service.sql.unsafe(`select * from ${name} order by id`)
    expect(rows.map(({ nome }) => nome)).toEqual(['a', 'n', 'p'])
    const kept = await service.sql`select no, rows from bulk.file order by no`
    expect(kept.map(({ rows }) => rows)).toEqual([1, 1, 1])
  })

  test('are not loaded when one of them is damaged', async () => {
    const { job, rows } = await load(['id,nome\n1,a\n', 'id,nome\n2,b\n3\n'])
    expect(job).toMatchObject({ status: 'erro', error: { code: 'file_corrupt', row: 2 } })
    expect(rows).toEqual([])
  })

  test('are not loaded when one lacks a column of another', async () => {
    const { job } = await load(['id,nome\n1,a\n', 'id\n2\n'])
    expect(job).toMatchObject({
      status: 'erro',
      error: { code: 'schema_differs', differences: [{ column: 'nome' }] },
    })
  })
})

test('a trial of the columns reads no row', async () => {
  const figura = service.figura('ensaio', { id: 'bigint', nome: 'text' })
  const job = await service.load(figura, service.put('ensaio', 'id,nome\n1,a\n2\n'), { dryRun: 'schema' })
  expect(job).toMatchObject({ status: 'erro', error: { code: 'file_corrupt' } })
  const good = await service.load(figura, service.put('ensaio2', 'id,nome\n1,a\n'), { dryRun: 'schema' })
  expect(good).toMatchObject({ status: 'completo', format: 'csv', rows: 1, read: null, stage: null })
  const [table] = await service.sql`select to_regclass('ensaio') as made`
  expect(table).toEqual({ made: null })
})

test('a figura limits the bytes and the rows of its files', async () => {
  const bytes = await load('id,nome\n1,a\n', undefined, { limits: { maxBytes: 5 } })
  expect(bytes.job).toMatchObject({ status: 'erro', error: { code: 'file_too_large' } })
  expect(String(bytes.job.error?.detail)).toContain('limits of the figura')
  const rows = await load('id,nome\n1,a\n2,b\n', undefined, { limits: { maxRows: 1 } })
  expect(rows.job).toMatchObject({ status: 'erro', error: { code: 'file_too_large' } })
})
