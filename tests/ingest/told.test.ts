import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readRejects } from '../../src/db/rejects-read.ts'
import type { Figura } from '../../src/figura/types.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'

let at: InProcess
let number = 0
beforeAll(async () => {
  at = await startInProcess()
})
afterAll(() => at[Symbol.asyncDispose]())

const TYPES = {
  id: 'bigint',
  preco: 'numeric(10,2)',
  em: 'timestamptz',
  taxa: 'double precision',
  ativo: 'boolean',
}

/** No row of it is good. */
function refusing(): Figura {
  const figura = at.figura(`dito${number++}`, TYPES)
  for (const column of figura.columns.slice(1)) column.check = `${column.name} is null`
  return { ...figura, rejects: { maxRows: 100, maxPercent: null } }
}

/** The rows that were left out, each with what its reasons found. */
async function told(figura: Figura, path: string) {
  const job = await at.load(figura, path)
  expect(job).toMatchObject({ status: 'completo' })
  const rejects = await readRejects(at.sql, job.id, { after: undefined, limit: 10 })
  return rejects.map(({ faults, record }) => ({
    found: faults.map(({ column, reason }) => [column, /^found "(.*?)", expected/.exec(reason)?.[1]]),
    faults: faults.map((fault) => Object.keys(fault)),
    record: Object.entries(record ?? {}),
  }))
}

describe('a row that was left out', () => {
  const PARQUET = `select true as ativo, 1e20::double as taxa, timestamp '2026-02-01 10:00:00.5' as em,
    -1.50::decimal(5,2) as preco, 1 as id
    union all select false, 0.1::float, timestamp '2026-02-01', 7::decimal(5,2), 2`
  const WIDER = `select 0.1::float as taxa, timestamp_s '2026-02-01 00:00:00' as em, 7::smallint as preco, 2 as id`

  test.each([
    ['parquet', () => at.write(`dito${number++}`, PARQUET)],
    ['narrower parquet', () => at.write(`dito${number++}`, WIDER)],
    ['CSV', () => at.put('dito.csv', 'taxa,ativo,em,preco,id\n1e3,t,2026-02-01T10:00Z,+7,1\n')],
    ['NDJSON', () => at.put('dito.json', '{"taxa": 1E3, "em": "2026-02-01", "preco": 7.10, "id": 1}\n')],
  ])('of %s is told as the file has it, its columns in the order of the file', async (_name, write) => {
    for (const { found, record, faults } of await told(refusing(), await write())) {
      expect(found.length).toBeGreaterThan(2)
      for (const [column, value] of found)
        expect([column, value]).toEqual(record.find(([name]) => name === column)!)
      expect(record.map(([name]) => name).indexOf('id')).toBe(record.length - 1)
      expect(faults[0]).toEqual(['column', 'rule', 'reason'])
    }
  })

  test('of CSV is told with the letters of the file', async () => {
    const [row] = await told(refusing(), at.put('dito.csv', 'taxa,preco,id\n1e3,+7,01\n'))
    expect(row?.record).toEqual([
      ['taxa', '1e3'],
      ['preco', '+7'],
      ['id', '01'],
    ])
  })
})

test('samples of a trial have their columns in the order of the figura', async () => {
  const figura = at.figura(
    `dito${number++}`,
    { zona: 'text', id: 'bigint', nome_comprido: 'text', uf: 'text', b: 'text' },
    ['zona', 'id'],
  )
  const select = (value: string) =>
    `select '${value}' as b, '${value}' as uf, '${value}' as nome_comprido, 1::bigint as id, 'z' as zona`
  await at.load(figura, await at.write(`dito${number++}`, select('a')))
  const { impact } = await at.load(figura, await at.write(`dito${number++}`, select('b')), {
    dryRun: 'impact',
  })
  const [sample] = (impact as unknown as { samples: Record<string, object>[] }).samples
  expect(Object.keys(sample ?? {})).toEqual(['key', 'changed', 'before', 'after'])
  expect(Object.keys(sample?.key ?? {})).toEqual(['zona', 'id'])
  for (const part of ['before', 'after'])
    expect(Object.keys(sample?.[part] ?? {})).toEqual(['nome_comprido', 'uf', 'b'])
})
