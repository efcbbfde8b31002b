import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Duckdb, openDuckdb } from '../../src/db/duckdb.ts'
import { BulkError } from '../../src/errors.ts'
import type { Column, Figura } from '../../src/figura/types.ts'
import { fitFile } from '../../src/ingest/fit-file.ts'
import { smallFigura } from '../support/figuras.ts'
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

const ID: Column = { name: 'id', type: { kind: 'bigint' }, required: true, from: 'id' }
const NOME: Column = { name: 'nome', type: { kind: 'text' }, required: false, from: 'nome' }
const FILE = [
  { name: 'id', type: 'BIGINT' },
  { name: 'Nome_Bruto', type: 'VARCHAR' },
  { name: 'extra', type: 'INTEGER' },
]

async function fit(figura: Figura, columns = FILE) {
  return fitFile(duckdb, { mode: null, definition: figura }, { columns, parquet: true, no: 0, files: 1 })
}
const withNome = (more: Partial<Column>) => smallFigura('f', [ID, { ...NOME, ...more }])

async function refused(figura: Figura, columns = FILE): Promise<BulkError> {
  const error: unknown = await fit(figura, columns).catch((thrown: unknown) => thrown)
  if (error instanceof BulkError) return error
  throw new Error(`it was not refused: ${JSON.stringify(error)}`)
}

test('a file that does not fit is refused with every difference', async () => {
  const error = await refused(smallFigura(), [{ name: 'nome', type: 'DATE' }])
  expect(error.code).toBe('schema_differs')
  expect(error.extra.differences).toHaveLength(2)
})

test('the first of several names that the file has is read', async () => {
  const { columns } = await fit(withNome({ aliases: ['apelido', 'nome_bruto', 'extra'] }))
  expect(columns.map(({ sources }) => sources)).toEqual([['id'], ['Nome_Bruto']])
})

test('an expression reads the columns that it names, and its type has to fit', async () => {
  const { columns } = await fit(withNome({ expr: 'upper(trim(nome_bruto))' }))
  expect(columns[1]?.sources).toEqual(['Nome_Bruto'])
  const error = await refused(withNome({ expr: 'extra + 1' }))
  expect(error.extra.differences).toMatchObject([{ column: 'nome', found: '"extra + 1" of type INTEGER' }])
})

test('an expression over a column that the file lacks is a column that the file lacks', async () => {
  const { columns } = await fit(withNome({ expr: 'upper(outra)' }))
  expect(columns.map(({ column }) => column.name)).toEqual(['id'])
  expect((await refused(withNome({ expr: 'upper(outra)', required: true }))).code).toBe('schema_differs')
})

test.each([
  ['no SQL at all', 'upper('],
  ['a query', '(select 1)'],
  ['a query that begins with from', '(from t)'],
  ['a table behind it', 'id from t'],
  ['a sum over rows', 'sum(extra)::varchar'],
  ['a window', 'cast(row_number() over () as varchar)'],
  ['a function that is not there', 'no_function(nome_bruto)'],
  ['several statements', "'a'; select 1"],
  ['a comment that hides the rest', 'id)--'],
])('an expression that is %s is refused', async (_, expr) => {
  expect((await refused(withNome({ expr }))).code).toBe('expression_wrong')
})

test('a check is over the columns of the figura, and gives true or false', async () => {
  expect((await refused(withNome({ check: 'length(nome)' }))).message).toInclude('which gives BIGINT')
  expect((await refused({ ...smallFigura(), checks: { x: 'extra > 1' } })).code).toBe('expression_wrong')
  const { named, rules } = await fit({ ...smallFigura(), checks: { curto: 'length(NOME) < id' } })
  expect(named.map(({ name }) => name)).toEqual(['id', 'nome'])
  expect(rules).toMatchObject([
    { column: null, rule: 'curto', breaks: expect.stringContaining('(length(NOME) < id)') },
  ])
})

test('what only the file has is ignored, refused or kept', async () => {
  expect((await fit({ ...smallFigura(), extra: 'ignore' })).columns).toHaveLength(1)
  const error = await refused({ ...smallFigura(), extra: 'refuse' })
  expect(error.extra.differences).toMatchObject([{ column: 'Nome_Bruto' }, { column: 'extra' }])
  const { columns } = await fit({ ...smallFigura(), extra: { keep: 'outros' } })
  expect(columns.at(-1)).toMatchObject({ column: { name: 'outros' }, sources: ['Nome_Bruto', 'extra'] })
})

test('a column that the file lacks is left out, or filled in', async () => {
  const filled = await fit(withNome({ missing: 'fill', default: 'sem nome' }))
  expect(filled.columns[1]).toMatchObject({ sources: [], expression: expect.stringContaining('sem nome') })
  expect((await fit(withNome({ missing: 'fill' }))).columns).toHaveLength(2)
  expect((await fit(withNome({}))).columns).toHaveLength(1)
})

test('a delete reads the key alone', async () => {
  const file = { columns: FILE, parquet: true, no: 0, files: 1 }
  const reading = await fitFile(
    duckdb,
    { mode: 'delete', definition: withNome({ from: 'nome_bruto' }) },
    file,
  )
  expect(reading.columns.map(({ column }) => column.name)).toEqual(['id'])
})
