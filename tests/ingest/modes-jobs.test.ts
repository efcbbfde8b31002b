import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { readJobLog } from '../../src/db/jobs.ts'
import { loadOf, type Figura, type Load } from '../../src/figura/types.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'

const WAYS = [
  ['in one transaction', {}],
  ['by way of a stage', { DIRECT_ROWS: '0', FIRST_LOAD_ROWS: '0' }],
  [
    'by way of a stage and three connections',
    {
      DIRECT_ROWS: '0',
      FIRST_LOAD_ROWS: '0',
      CHUNK_ROWS: '4096',
      MERGE_PART_ROWS: '100',
      MERGE_CONNECTIONS: '3',
    },
  ],
] as const

let number = 0

describe.each(WAYS)('a job that goes %s', (way, env) => {
  let at: InProcess
  let figura: Figura
  beforeAll(async () => {
    at = await startInProcess({ ...env })
  })
  afterAll(() => at[Symbol.asyncDispose]())
  beforeEach(() => {
    figura = at.figura(`jobmodo${number++}`, { id: 'bigint', nome: 'text', versao: 'integer' })
  })

  const loading = (load: Partial<Load>) => {
    figura = { ...figura, load: { ...loadOf({}), ...load } }
  }
  const rows = (from: number, to: number, nome = 'n', versao = 1) =>
    `select i as id, '${nome}' || i as nome, ${versao}::integer as versao from range(${from}, ${to}) t(i)`
  const send = async (select: string, asked = {}) =>
    at.load(figura, await at.write(`modo${number++}`, select, 2048), asked)
  const table = async () => [
    ...(await at.sql.unsafe(
      `select count(*)::int as rows, min(id)::int as first, max(id)::int as last from ${figura.name}`,
    )),
  ]
  const connections = async (job: { id: string }) =>
    (await readJobLog(at.sql, job.id, 100)).map(({ data }) => data?.connections).find((found) => found)

  test('inserts, deletes and replaces as it was asked to', async () => {
    const allow = ['merge', 'append', 'insert', 'replace', 'delete'] as const
    loading({ allow: [...allow] })
    expect(await send(rows(0, 5000))).toMatchObject({ status: 'completo', staged: 5000, inserted: 5000 })
    const more = await send(rows(4000, 6000, 'x'), { mode: 'insert' })
    expect(more).toMatchObject({ inserted: 1000, unchanged: 1000, updated: 0, mode: 'insert' })
    if (way.includes('three')) expect(await connections(more)).toBe(3)
    expect(await send(rows(5990, 6010), { mode: 'delete' })).toMatchObject({ deleted: 10, unchanged: 10 })
    expect(await send(rows(0, 4000), { mode: 'replace' })).toMatchObject({ removed: 1990, unchanged: 4000 })
    expect(await table()).toMatchObject([{ rows: 4000, first: 0, last: 3999 }])
    expect(await send(rows(4000, 4001), { mode: 'replace' })).toMatchObject({
      status: 'erro',
      error: { code: 'too_many_deleted', rows: 4000, lacking: 4000 },
    })
    expect(await send(rows(4000, 4010), { mode: 'append' })).toMatchObject({
      status: 'completo',
      inserted: 10,
    })
    expect(await table()).toMatchObject([{ rows: 4010, first: 0, last: 4009 }])
  })

  test('lets the last row of a key count, and tells of the others', async () => {
    loading({ duplicates: 'last' })
    const job = await send(`${rows(0, 3000, 'a')} union all ${rows(0, 1000, 'b')}`)
    expect(job).toMatchObject({
      status: 'completo',
      read: 4000,
      duplicates: 1000,
      staged: 3000,
      inserted: 3000,
    })
    const found = await at.sql.unsafe(`select count(*)::int as n from ${figura.name} where nome like 'b%'`)
    expect(found).toMatchObject([{ n: 1000 }])
  })

  test('leaves stale rows alone and keeps the history of the others', async () => {
    loading({ version: 'versao', history: true, audit: { loadedAt: 'em', jobId: 'carga' } })
    await send(rows(0, 3000, 'a', 5))
    const job = await send(`${rows(0, 1000, 'b', 4)} union all ${rows(1000, 3500, 'b', 6)}`)
    expect(job).toMatchObject({ status: 'completo', inserted: 500, updated: 2000, stale: 1000, unchanged: 0 })
    const written = await at.sql.unsafe(
      `select count(*)::int as n from ${figura.name} where carga = '${job.id}'`,
    )
    expect(written).toMatchObject([{ n: 2500 }])
    const history = await at.sql.unsafe(`
      select count(*)::int as n, count(*) filter (where valid_to is null)::int as now from ${figura.name}_history`)
    expect(history).toMatchObject([{ n: 5500, now: 3500 }])
  })

  test.each(['rows', 'impact'] as const)('and is a trial of the %s changes nothing', async (dryRun) => {
    await send(rows(0, 3000))
    const job = await send(rows(2500, 3100, 'x'), { dryRun })
    expect(job).toMatchObject({ status: 'completo', read: 600, staged: 600, rejected: 0, inserted: null })
    const [row] = await at.sql`select impact from bulk.job where id = ${job.id}`
    if (dryRun === 'rows') expect(row?.impact).toBeNull()
    else expect(row?.impact).toMatchObject({ inserted: 100, updated: 500, samples: { length: 20 } })
    expect(await table()).toMatchObject([{ rows: 3000 }])
    expect(await at.sql`select from pg_class where relnamespace = 'bulk_stage'::regnamespace`).toHaveLength(0)
  })

  test('and is a trial for a table that is not there yet does not make it', async () => {
    const job = await send(rows(0, 3000), { dryRun: 'impact' })
    expect(job).toMatchObject({ status: 'completo', staged: 3000 })
    const [row] = await at.sql`
      select impact, to_regclass(${figura.name}) as made from bulk.job where id = ${job.id}`
    expect(row).toMatchObject({ impact: { inserted: 3000, unchanged: 0, samples: [] }, made: null })
  })
})
