import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { Column, Figura } from '../../src/figura/types.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'

let at: InProcess
let figura: Figura
let number = 0

beforeAll(async () => {
  at = await startInProcess()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => {
  figura = at.figura(`regra${number++}`, {
    id: 'bigint',
    nome: 'text',
    uf: 'char(2)',
    valor: 'numeric(10,2)',
    dia: 'date',
  })
})

const FIRST = `select 1::bigint as id, 'Ana' as nome, 'SP' as uf, 10.5::decimal(10,2) as valor,
  date '2026-01-01' as dia`
const row = (more: string) => `select * replace (${more}) from (${FIRST})`
const change = (name: string, more: Partial<Column>) => {
  figura = {
    ...figura,
    columns: figura.columns.map((one) => (one.name === name ? { ...one, ...more } : one)),
  }
}
const load = async (...selects: string[]) =>
  at.load(figura, await at.write(`f${number++}`, selects.join(' union all ')))
const table = async () => [...(await at.sql.unsafe(`select * from ${figura.name} order by id`))]
const rejects = async () => [
  ...(await at.sql`select row, column_name as column, rule, reason, record from bulk.reject order by file, row`),
]

test.each<[rule: string, column: string, spec: Partial<Column>, broken: string, reason: string]>([
  ['pattern', 'nome', { pattern: '^[A-Z]' }, `'ana' as nome`, 'found "ana", expected a text like ^[A-Z]'],
  ['enum', 'uf', { enum: ['SP', 'RJ'] }, `'XX' as uf`, 'found "XX", expected one of SP, RJ'],
  ['min', 'valor', { min: 0 }, `-0.01::decimal(10,2) as valor`, 'found "-0.01", expected at least 0'],
  [
    'max',
    'dia',
    { max: '2026-12-31' },
    `date '2027-01-01' as dia`,
    'found "2027-01-01", expected at most 2026-12-31',
  ],
  [
    'max_length',
    'nome',
    { maxLength: 5 },
    `'Ana Maria' as nome`,
    'found "Ana Maria", expected at most 5 characters',
  ],
  [
    'check',
    'valor',
    { check: 'valor <> 13' },
    `13::decimal(10,2) as valor`,
    'found "13.00", expected valor <> 13',
  ],
])(
  'the rule %s refuses a file with a row that breaks it, and leaves that row out where it may',
  async (rule, column, spec, broken, reason) => {
    change(column, spec)
    const second = row(`2 as id, ${broken}`)
    const strict = await load(FIRST, second)
    expect(strict).toMatchObject({ status: 'erro', error: { code: 'value_refused', rejected: 1 } })
    expect(strict.error?.values).toMatchObject([{ column, rule, count: 1, first_row: 2, reason }])
    expect(await table()).toEqual([])
    figura = { ...figura, rejects: { maxRows: 1, maxPercent: null } }
    await at.sql`delete from bulk.reject`
    const lenient = await load(FIRST, second)
    expect(lenient).toMatchObject({ status: 'completo', inserted: 1, rowsRejected: 1 })
    expect(await rejects()).toMatchObject([{ row: 2, column, rule, reason, record: { id: 2 } }])
    expect(await table()).toMatchObject([{ id: 1 }])
  },
)
