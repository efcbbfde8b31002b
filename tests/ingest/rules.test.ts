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
const rejects = async ({ id }: { id: string }) => [
  ...(await at.sql`
    select row, column_name as column, rule, reason, record from bulk.reject where job = ${id} order by file, row`),
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
    const lenient = await load(FIRST, second)
    expect(lenient).toMatchObject({ status: 'completo', inserted: 1, rejected: 1, read: 2 })
    expect(await rejects(lenient)).toMatchObject([{ row: 2, column, rule, reason, record: { id: '2' } }])
    expect(await table()).toMatchObject([{ id: 1 }])
  },
)

test('a share of the rows may be left out, and not one more', async () => {
  change('valor', { min: 0 })
  figura = { ...figura, rejects: { maxRows: null, maxPercent: 10 } }
  const rows = (bad: number) =>
    `select * replace (i as id, case when i < ${bad} then -1 else 1 end as valor) from (${FIRST}), range(100) t(i)`
  const spread = (bad: number) =>
    `select id, nome, uf, valor::decimal(10,2) as valor, dia from (${rows(bad)})`
  expect(await load(spread(10))).toMatchObject({ status: 'completo', read: 100, rejected: 10, inserted: 90 })
  const over = await load(spread(11))
  expect(over).toMatchObject({
    status: 'erro',
    error: { code: 'too_many_rejected', rejected: 11, limit: 10 },
  })
  expect(await rejects(over)).toHaveLength(11)
})

test('a row that breaks several rules is left out once, with all of them', async () => {
  change('valor', { min: 0 })
  change('nome', { pattern: '^A', required: true })
  figura = {
    ...figura,
    rejects: { maxRows: 5, maxPercent: null },
    checks: { dias: "dia > date '2026-01-01'" },
  }
  const job = await load(row(`null as nome, -1::decimal(10,2) as valor`), row(`2 as id, 'B' as nome`))
  expect(job).toMatchObject({ status: 'completo', read: 2, rejected: 2, staged: 0 })
  const found = [...(await at.sql`select faults from bulk.reject where job = ${job.id} order by row`)]
  expect(found.map(({ faults }) => faults.map((one: { rule: string }) => one.rule))).toEqual([
    ['required', 'min', 'dias'],
    ['pattern', 'dias'],
  ])
})

test('values that stand for null are null, and a default takes their place', async () => {
  change('nome', { nullIf: ['', '-'], default: 'sem nome' })
  change('uf', { nullIf: ['XX'] })
  await load(row(`'-' as nome, 'XX' as uf`), row(`2 as id, null as nome`), row('3 as id'))
  expect(await table()).toMatchObject([
    { id: 1, nome: 'sem nome', uf: null },
    { id: 2, nome: 'sem nome', uf: 'SP' },
    { id: 3, nome: 'Ana', uf: 'SP' },
  ])
})

test('an expression gives the value, and where it fails the row is left out or refused', async () => {
  change('nome', { expr: "upper(nome) || '/' || uf" })
  change('valor', { expr: `cast(nome as decimal(10,2))` })
  const failing = await load(row(`'Ana' as nome`), row(`2 as id, '7' as nome`))
  expect(failing).toMatchObject({ status: 'erro', error: { code: 'value_refused' } })
  figura = { ...figura, rejects: { maxRows: 1, maxPercent: null } }
  const lenient = await load(row(`'Ana' as nome`), row(`2 as id, '7' as nome`))
  expect(lenient).toMatchObject({ status: 'completo', rejected: 1 })
  expect(await table()).toMatchObject([{ id: 2, nome: '7/SP', valor: '7.00' }])
})

test('sensitive values are shown nowhere', async () => {
  change('nome', { sensitive: true, pattern: '^A' })
  const secret = 'Segredo 4711'
  const strict = await load(row(`'${secret}' as nome`))
  expect(strict.status).toBe('erro')
  figura = { ...figura, rejects: { maxRows: 5, maxPercent: null } }
  const lenient = await load(row(`'${secret}' as nome`))
  expect(lenient).toMatchObject({ status: 'completo', rejected: 1 })
  expect(JSON.stringify([strict.error, await rejects(strict), await rejects(lenient)])).not.toInclude('4711')
  expect((await rejects(lenient))[0]?.record).not.toHaveProperty('nome')
})

test('what the database cannot hold is left out where rows may be', async () => {
  figura = { ...figura, rejects: { maxRows: 9, maxPercent: null } }
  const bad = [`'a' || chr(0) as nome`, `'São' as uf`, `null as id`, `date '5874897-12-31' + 1 as dia`]
  const job = await load(
    FIRST,
    ...bad.map((one, no) => row(one.includes('as id') ? one : `${no + 2} as id, ${one}`)),
  )
  expect(job).toMatchObject({ status: 'completo', rejected: 4, inserted: 1 })
  expect(await rejects(job)).toMatchObject([
    { row: 2, column: 'nome', rule: 'type' },
    { row: 3, column: 'uf', rule: 'type' },
    { row: 4, column: 'id', rule: 'required' },
    { row: 5, column: 'dia', rule: 'type' },
  ])
})
