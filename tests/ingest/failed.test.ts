import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { loadOf, type Figura } from '../../src/figura/types.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'

const STAGED = { DIRECT_ROWS: '0', FIRST_LOAD_ROWS: '0' }
const WAYS = [
  ['in one transaction', {}, ['stage', 'merge', 4]],
  ['by way of a stage', STAGED, ['stage', 'merge', 4]],
  ['by way of a stage, in chunks', { ...STAGED, CHUNK_ROWS: '2048' }, ['stage', 'merge', 3]],
] as const

let number = 0

describe.each(WAYS)('a job that goes %s', (_way, env, [reading, merging, pieces]) => {
  let at: InProcess
  let figura: Figura
  beforeAll(async () => {
    at = await startInProcess({ ...env })
  })
  afterAll(() => at[Symbol.asyncDispose]())
  beforeEach(() => {
    figura = at.figura(`falhou${number++}`, { id: 'bigint', n: 'integer' })
    figura.columns[1]!.min = 0
    figura.rejects = { maxRows: 2, maxPercent: null }
  })
  const send = async (select: string) => at.load(figura, await at.write(`f${number++}`, select, 2048))

  test('and has too many rows to leave out tells what was read, of which file, in which phase', async () => {
    const job = await send(
      'select i as id, case when i % 2048 = 7 then -1 else 1 end::integer as n from range(8192) t(i)',
    )
    expect(job).toMatchObject({
      status: 'erro',
      error: { code: 'too_many_rejected', phase: reading },
      format: 'parquet',
      rows: 8192,
      rowGroups: 4,
      read: pieces * 2048,
      rejected: pieces,
    })
    expect(job.bytes).toBeGreaterThan(0)
    expect(job.etag).toMatch(/^"/)
  })

  test('and would delete too many rows tells that all was read', async () => {
    await send('select i as id, 1::integer as n from range(5000) t(i)')
    figura.load = { ...loadOf({}), mode: 'replace' }
    const job = await send(
      'select i as id, (i - 1)::integer as n from range(3000) t(i) where i <> 1 and i < 2101',
    )
    expect(job).toMatchObject({
      status: 'erro',
      error: { code: 'too_many_deleted', phase: merging },
      format: 'parquet',
      rows: 2100,
      read: 2100,
      rejected: 1,
      staged: null,
    })
    expect(job.bytes).toBeGreaterThan(0)
  })

  test('and does not fit tells nothing of rows', async () => {
    const job = await send("select i as id, 'x' as n from range(10) t(i)")
    expect(job).toMatchObject({
      status: 'erro',
      error: { code: 'schema_differs', phase: 'plan' },
      read: null,
      rejected: null,
    })
  })
})

test('a job whose rows go straight into an empty table tells what was read once', async () => {
  await using at = await startInProcess({ DIRECT_ROWS: '0' })
  const figura = at.figura('direto', { id: 'bigint', n: 'integer' })
  figura.columns[1]!.min = 0
  const select = 'select i as id, case when i = 5000 then -1 else 1 end::integer as n from range(8192) t(i)'
  const job = await at.load(figura, await at.write('direto', select, 2048))
  expect(job).toMatchObject({
    status: 'erro',
    error: { code: 'value_refused', phase: 'merge' },
    format: 'parquet',
    read: 8192,
    rejected: 1,
  })
})
