import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compareTable } from '../support/compare.ts'
import { TYPES } from '../support/edge-values.ts'
import { startRig, type Rig } from '../support/rig.ts'

const SEED = Number(process.env.SEED ?? 20261123)
const RUNS = Number(process.env.RUNS ?? 30)

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig[Symbol.asyncDispose]())

/** A column and its values, some of them edges, some null. */
const column = fc.constantFrom(...Object.keys(TYPES)).chain((type) => {
  const { edges, random, duck } = TYPES[type] ?? { edges: [], random: fc.constant('null'), duck: '' }
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...edges) },
    { weight: 4, arbitrary: random },
    fc.constant('null'),
  )
  return fc.record({
    type: fc.constant(type),
    duck: fc.constant(duck),
    values: fc.array(value, { minLength: 3, maxLength: 12 }),
  })
})

test('random schemas with random values of every type, edges included, arrive as DuckDB reads them', async () => {
  let run = 0
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(column, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 6000 }),
      async (columns, rows) => {
        const name = `sorte_${run++}`
        for (const { type } of columns) seen.add(type)
        rig.writeFigura(name, columnsOf(columns.map(({ type }) => type)))
        // each column takes its values in turn; their numbers differ, so that the rows do
        const values = columns.map(({ duck, values }, at) => {
          const list = values.map((value) => `(${value})::${duck}`).join(', ')
          return `([${list}])[1 + (i % ${values.length})::int] as c${at}`
        })
        const select = `select i as id, ${values.join(', ')} from range(${rows}) t(i)`
        const file = await rig.putFile(name, select, { rowGroupRows: 2048 })
        const job = await rig.service.load(name, file.url)
        expect(job).toMatchObject({ status: 'completo', error: null, stats: { read: rows, inserted: rows } })
        const compared = await compareTable(rig.sql, rig.figura(name), {
          file: file.path,
          folder: rig.folder,
        })
        expect(compared).toEqual({
          rows,
          onlyInFile: [],
          onlyInTable: [],
          different: [],
        })
      },
    ),
    { seed: SEED, numRuns: RUNS, endOnFailure: true },
  )
  expect([...seen].sort()).toEqual(Object.keys(TYPES).sort())
}, 240_000)

test('a value that PostgreSQL cannot hold ends the job in erro, naming its column and row', async () => {
  const bad = [
    { type: 'text', duck: 'varchar', value: `'a' || chr(0)` },
    { type: 'varchar(3)', duck: 'varchar', value: `'abcd'` },
    { type: 'char(2)', duck: 'varchar', value: `'abc'` },
    { type: 'uuid', duck: 'varchar', value: `'no uuid'` },
    { type: 'jsonb', duck: 'varchar', value: `'{'` },
    { type: 'date', duck: 'date', value: `date '5000-01-01 (BC)'` },
    { type: 'timestamp', duck: 'timestamp', value: `timestamp '5000-01-01 (BC) 00:00:00'` },
    { type: 'text[]', duck: 'varchar[]', value: `['ok', chr(0)]` },
  ]
  for (const [at, { type, duck, value }] of bad.entries()) {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 5999 }), async (row) => {
        const name = `mau_${at}_${row}`
        rig.writeFigura(name, columnsOf([type]))
        const bad = `case when i = ${row} then (${value})::${duck} end`
        const file = await rig.putFile(name, `select i as id, ${bad} as c0 from range(6000) t(i)`, {
          rowGroupRows: 2048,
        })
        const job = await rig.service.load(name, file.url)
        expect(job).toMatchObject({
          status: 'erro',
          error: { code: 'value_refused', values: [{ column: 'c0', count: 1, first_row: row + 1 }] },
        })
        const [table] = await rig.sql`select count(*)::int as rows from ${rig.sql(name)}`
        expect(table?.rows).toBe(0)
      }),
      { seed: SEED, numRuns: 2 },
    )
  }
}, 120_000)

/** Lines of YAML: the key, and columns c0, c1 … of these types. */
function columnsOf(types: string[]): string {
  return ['  id: { type: bigint }', ...types.map((type, at) => `  c${at}: { type: '${type}' }`)].join('\n')
}
