import { describe, expect, test } from 'bun:test'
import { parseType } from '../../src/figura/type-names.ts'
import type { Column, Figura } from '../../src/figura/types.ts'
import { fitColumns } from '../../src/ingest/fit.ts'
import { smallFigura } from '../support/figuras.ts'

/** For each type of a figura: the types of a file that fit it, and some that must not. */
const MATRIX: Record<string, { fits: string[]; refused: string[] }> = {
  boolean: { fits: ['BOOLEAN'], refused: ['TINYINT', 'VARCHAR'] },
  smallint: {
    fits: ['TINYINT', 'UTINYINT', 'SMALLINT', 'DECIMAL(4,0)'],
    refused: ['USMALLINT', 'INTEGER', 'DECIMAL(5,0)'],
  },
  integer: {
    fits: ['SMALLINT', 'USMALLINT', 'INTEGER', 'DECIMAL(9,0)'],
    refused: ['UINTEGER', 'BIGINT', 'DOUBLE'],
  },
  bigint: {
    fits: ['INTEGER', 'UINTEGER', 'BIGINT', 'DECIMAL(18,0)'],
    refused: ['UBIGINT', 'HUGEINT', 'DECIMAL(18,1)'],
  },
  real: { fits: ['FLOAT', 'SMALLINT', 'USMALLINT'], refused: ['DOUBLE', 'INTEGER'] },
  'double precision': {
    fits: ['DOUBLE', 'FLOAT', 'INTEGER', 'UINTEGER'],
    refused: ['BIGINT', 'DECIMAL(10,2)'],
  },
  'numeric(15,2)': {
    fits: ['DECIMAL(15,2)', 'DECIMAL(10,0)', 'DECIMAL(14,1)', 'INTEGER'],
    refused: ['DECIMAL(15,3)', 'DECIMAL(15,1)', 'BIGINT', 'DOUBLE'],
  },
  'numeric(20,0)': { fits: ['UBIGINT', 'BIGINT'], refused: ['HUGEINT', 'FLOAT'] },
  text: { fits: ['VARCHAR', 'UUID', 'JSON', "ENUM('a', 'b')"], refused: ['BLOB', 'INTEGER', 'VARCHAR[]'] },
  'varchar(10)': { fits: ['VARCHAR'], refused: ['BLOB'] },
  'char(2)': { fits: ['VARCHAR'], refused: ['INTEGER'] },
  date: { fits: ['DATE'], refused: ['TIMESTAMP', 'VARCHAR'] },
  time: { fits: ['TIME', 'TIME_NS'], refused: ['TIMESTAMP', 'TIME WITH TIME ZONE'] },
  timestamp: {
    fits: ['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS', 'DATE'],
    refused: ['TIMESTAMP WITH TIME ZONE'],
  },
  timestamptz: {
    fits: ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP', 'TIMESTAMP_NS'],
    refused: ['DATE', 'VARCHAR'],
  },
  uuid: { fits: ['UUID', 'VARCHAR'], refused: ['BLOB'] },
  bytea: { fits: ['BLOB'], refused: ['VARCHAR'] },
  jsonb: {
    fits: ['VARCHAR', 'JSON', 'STRUCT(a INTEGER)', 'MAP(VARCHAR, INTEGER)', 'INTEGER[]'],
    refused: ['INTEGER', 'BLOB'],
  },
  'text[]': { fits: ['VARCHAR[]', 'VARCHAR[3]'], refused: ['VARCHAR', 'INTEGER[]', 'VARCHAR[][]'] },
  'bigint[]': { fits: ['BIGINT[]', 'INTEGER[]'], refused: ['UBIGINT[]', 'DOUBLE[]'] },
  'numeric(10,2)[]': { fits: ['DECIMAL(10,2)[]', 'SMALLINT[]'], refused: ['DECIMAL(10,3)[]'] },
}

describe.each(Object.entries(MATRIX))('a column of %s', (type, { fits, refused }) => {
  test.each(fits)('takes %s', (fileType) => {
    expect(fit(type, fileType).differences).toEqual([])
  })
  test.each(refused)('refuses %s, and says what would fit', (fileType) => {
    const [difference] = fit(type, fileType).differences
    expect(difference).toMatchObject({ column: 'c', expected: type, found: `"c" of type ${fileType}` })
    expect(difference?.fix).toStartWith('write it as ')
  })
})

test('what a refused type would need is named', () => {
  expect(fit('integer', 'BIGINT').differences[0]?.fix).toBe(
    'write it as INTEGER, or declare the column as bigint',
  )
  expect(fit('numeric(15,2)', 'DECIMAL(18,4)').differences[0]?.fix).toEndWith(
    'declare the column as numeric(18,4)',
  )
})

test('the same type is read as it is; another one by a cast', () => {
  expect(fit('bigint', 'BIGINT').columns[0]?.expression).toBe('"c"')
  expect(fit('bigint', 'INTEGER').columns[0]?.expression).toBe('cast("c" as BIGINT)')
  expect(fit('jsonb', 'STRUCT(a INTEGER)').columns[0]?.expression).toBe('cast(to_json("c") as VARCHAR)')
})

test('columns are matched by name: exactly, else by the one name that differs by case alone', () => {
  const file = [
    { name: 'ID', type: 'BIGINT' },
    { name: 'Nome', type: 'VARCHAR' },
    { name: 'NOME', type: 'VARCHAR' },
  ]
  const { columns } = fitColumns(smallFigura(), file)
  expect(columns.map((column) => column.sources[0])).toEqual(['ID'])
  const exact = fitColumns(smallFigura(), [...file, { name: 'nome', type: 'VARCHAR' }])
  expect(exact.columns.map((column) => column.sources[0])).toEqual(['ID', 'nome'])
})

test('a column that the file has twice, in other case or the same, is never guessed', () => {
  // as DuckDB reads a file with the columns NOME and nome, and one with two columns nome
  const id = { name: 'id', type: 'BIGINT' }
  const upper = { name: 'NOME', type: 'VARCHAR', written: 'NOME' }
  const lower = { name: 'nome_1', type: 'VARCHAR', written: 'nome' }
  const twice = [id, { name: 'nome', type: 'VARCHAR', written: 'nome' }, lower]
  for (const file of [[id, upper, lower], twice]) {
    const { columns, differences } = fitColumns(smallFigura(), file)
    expect(columns.map((column) => column.sources[0])).toEqual(['id'])
    expect(differences).toMatchObject([{ column: 'nome', expected: 'one' }])
  }
  const first = [id, { name: 'nome', type: 'VARCHAR' }, { name: 'NOME_1', type: 'VARCHAR', written: 'NOME' }]
  expect(fitColumns(smallFigura(), first).columns.map((column) => column.sources[0])).toEqual(['id', 'nome'])
})

test('a column by the name under which the reader counts rows is a difference, wanted or not', () => {
  const file = [
    { name: 'id', type: 'BIGINT' },
    { name: 'File_Row_Number', type: 'BIGINT' },
  ]
  expect(fitColumns(smallFigura(), file).differences).toMatchObject([{ column: 'File_Row_Number' }])
})

test('a missing required column is a difference that names the nearest one; a missing optional column is not', () => {
  const { differences, columns } = fitColumns(smallFigura(), [{ name: 'idd', type: 'BIGINT' }])
  expect(columns).toEqual([])
  expect(differences).toHaveLength(1)
  expect(differences[0]?.found).toBe('no column "id" in the file (did you mean "idd"?)')
})

test('all differences come at once', () => {
  const file = [
    { name: 'id', type: 'VARCHAR' },
    { name: 'nome', type: 'INTEGER' },
  ]
  expect(fitColumns(smallFigura(), file).differences.map((difference) => difference.column)).toEqual([
    'id',
    'nome',
  ])
})

test('a name that holds SQL is quoted', () => {
  const column: Column = { name: 'c', type: { kind: 'bigint' }, required: true, from: 'a"; drop table x; --' }
  const { columns } = fitColumns(smallFigura('f', [column]), [{ name: column.from, type: 'INTEGER' }])
  expect(columns[0]?.expression).toBe('cast("a""; drop table x; --" as BIGINT)')
})

function fit(type: string, fileType: string) {
  const parsed = parseType(type)
  if (typeof parsed === 'string') throw new Error(parsed)
  const figura: Figura = smallFigura('f', [{ name: 'c', type: parsed, required: false, from: 'c' }])
  return fitColumns(figura, [{ name: 'c', type: fileType }])
}
