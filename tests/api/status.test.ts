import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { writeJobLog } from '../../src/db/jobs.ts'
import { type Api, figuraText, startApi } from './api.ts'

const NO_JOB = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10'
const PROBLEM = {
  type: '/problems/key_null',
  title: 'A key is null',
  status: 422,
  code: 'key_null',
  detail: 'd',
}

const STATISTICS = 'read rejected duplicates staged inserted updated unchanged stale deleted removed'.split(
  ' ',
)

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('the status of a job', () => {
  test('has every field from the first moment', async () => {
    const { id, created, status, headers } = await job('coisas', "created_at = now() - interval '61 seconds'")
    const { queue, total } = Object(status.timings_ms)
    expect(status).toEqual({
      id,
      figura: 'coisas',
      status: 'enfileirado',
      phase: null,
      created_at: created,
      started_at: null,
      finished_at: null,
      source: {
        url: 's3://arquivos/coisas/a.parquet',
        bytes: null,
        rows: null,
        row_groups: null,
        etag: null,
      },
      progress: { chunks: { done: 0, total: null }, rows: { done: 0, total: null }, percent: 0 },
      mode: 'merge',
      dry_run: null,
      format: null,
      files: null,
      stats: Object.fromEntries(STATISTICS.map((name) => [name, null])),
      rejects: null,
      impact: null,
      timings_ms: { queue, plan: null, stage: null, merge: null, total },
      attempts: 0,
      retry_of: null,
      deadline: null,
      waiting: null,
      error: null,
    })
    expect(queue).toBeGreaterThanOrEqual(61_000)
    expect(total).toBe(queue)
    expect([headers.get('retry-after'), headers.get('cache-control')]).toEqual(['6', 'no-store'])
  })

  test('tells how far the staging is', async () => {
    const { status } = await job(
      'coisas',
      `status = 'processando', phase = 'stage', attempts = 1, stage = 1, bytes = 900, rows = 80, row_groups = 8,
       etag = '"e"', chunks_total = 8, chunks_done = 3, rows_done = 30, plan_ms = 12,
       created_at = now() - interval '10 seconds', started_at = now() - interval '9 seconds',
       staging_at = now() - interval '5 seconds'`,
    )
    expect(status).toMatchObject({
      status: 'processando',
      phase: 'stage',
      source: { bytes: 900, rows: 80, row_groups: 8, etag: '"e"' },
      progress: { chunks: { done: 3, total: 8 }, rows: { done: 30, total: 80 }, percent: 18.8 },
      timings_ms: { queue: 1000, plan: 12, merge: null },
      attempts: 1,
    })
    const { stage, total } = Object(status.timings_ms)
    expect([stage >= 5000, total >= 10_000]).toEqual([true, true])
  })

  test('goes up to half with the rows that are staged, and stands there until they are merged', async () => {
    const planned = "status = 'processando', stage = 1, chunks_total = 4, rows = 400"
    const percentOf = async (changes: string) =>
      Object((await job('coisas', changes)).status.progress).percent
    expect(await percentOf("status = 'processando', phase = 'plan'")).toBe(0)
    expect(await percentOf(`${planned}, phase = 'stage', rows_done = 100`)).toBe(12.5)
    expect(await percentOf(`${planned}, phase = 'wait', rows_done = 400`)).toBe(50)
    expect(await percentOf(`${planned}, phase = 'merge', rows_done = 400`)).toBe(50)
  })

  test('has the statistics once it is complete, and is not to be asked for again', async () => {
    const { status, headers } = await job(
      'coisas',
      `status = 'completo', attempts = 1, stage = 1, rows = 6, chunks_total = 1, chunks_done = 1, rows_done = 6,
       read = 9, rejected = 2, duplicates = 1, staged = 6, inserted = 2, updated = 1, unchanged = 1, stale = 1,
       deleted = 1, removed = 4, format = 'parquet', plan_ms = 1, stage_ms = 2, merge_ms = 3,
       created_at = '2026-03-02T12:00:00Z', started_at = '2026-03-02T12:00:01Z',
       finished_at = '2026-03-02T12:00:05.5Z'`,
    )
    expect(status).toMatchObject({
      status: 'completo',
      phase: null,
      finished_at: '2026-03-02T12:00:05.500Z',
      progress: { percent: 100 },
      format: 'parquet',
      stats: Object.fromEntries(STATISTICS.map((name, at) => [name, [9, 2, 1, 6, 2, 1, 1, 1, 1, 4][at]])),
      timings_ms: { queue: 1000, plan: 1, stage: 2, merge: 3, total: 5500 },
    })
    expect([headers.get('retry-after'), headers.get('cache-control')]).toEqual([null, null])
  })

  test('holds the problem that ended it', async () => {
    const error = JSON.stringify({ ...PROBLEM, rows: [1, 2] })
    const { status } = await job('coisas', `status = 'erro', finished_at = now(), error = '${error}'`)
    expect(status).toMatchObject({
      status: 'erro',
      error: { ...PROBLEM, rows: [1, 2] },
      progress: { percent: 0 },
    })
  })

  test('never tells of negative times, whatever the clocks say', async () => {
    const { status } = await job('coisas', "created_at = now() + interval '1 hour'")
    expect(status.timings_ms).toMatchObject({ queue: 0, total: 0 })
  })

  test('can be read though the file of the figura is broken or gone', async () => {
    const id = await api.send('coisas')
    for (const text of [figuraText('coisas').replace('bigint', 'inteiro'), null]) {
      api.figura('coisas', text)
      expect((await api.ask(`/coisas/_bulk/status/${id}`)).body).toMatchObject({ id })
      expect((await api.ask(`/coisas/_bulk/${id}/log`)).body).toMatchObject({ id })
      expect((await api.ask('/coisas/_bulk')).body).toMatchObject({ jobs: [{ id }] })
      expect((await api.ask('/coisas/_bulk?status=erro')).body).toEqual({ jobs: [], next: null })
    }
  })
})

describe('a job is not found', () => {
  test.each([NO_JOB, 'nada', '%00', `${NO_JOB}0`, 'null'])('under the id %p', async (id) => {
    for (const path of [`/coisas/_bulk/status/${id}`, `/coisas/_bulk/${id}/log`]) {
      const { status, body } = await api.ask(path)
      expect([status, body.code]).toEqual([404, 'job_unknown'])
    }
  })

  test('under the name of another figura', async () => {
    api.figura('outras')
    const id = await api.send('coisas')
    expect((await api.ask(`/outras/_bulk/status/${id}`)).body).toMatchObject({ code: 'job_unknown' })
    expect((await api.ask(`/outras/_bulk/${id}/log`)).body).toMatchObject({ code: 'job_unknown' })
    expect((await api.ask('/outras/_bulk')).body).toEqual({ jobs: [], next: null })
  })

  test('when there is no such figura: the nearest one is named', async () => {
    for (const path of [`/coisa/_bulk/status/${NO_JOB}`, `/coisa/_bulk/${NO_JOB}/log`, '/coisa/_bulk']) {
      const { status, body } = await api.ask(path)
      expect([status, body.code, body.nearest]).toEqual([404, 'figura_unknown', 'coisas'])
    }
  })

  test.each(['%00', "a'b", 'a%2Fb', 'caf%C3%A9', '_'])('for a figura called %p', async (name) => {
    for (const path of [`/${name}/_bulk/status/${NO_JOB}`, `/${name}/_bulk`]) {
      const { status, body } = await api.ask(path)
      expect([path, status, body.code]).toEqual([path, 404, 'figura_unknown'])
    }
  })
})

test('an address that cannot be decoded is unknown', async () => {
  for (const path of [`/%zz/_bulk/status/${NO_JOB}`, '/coisas/_bulk/status/%zz', '/%zz/_bulk']) {
    const { status, body } = await api.ask(path)
    expect([path, status, body.code]).toEqual([path, 404, 'route_unknown'])
  }
})

describe('the log of a job', () => {
  test('begins with its acceptance, and tells who did what', async () => {
    const url = 'https://example.com/a.parquet?X-Amz-Signature=segredo'
    const sha256 = '0'.repeat(64)
    const id = String((await api.put('coisas', { url, sha256 })).body.id)
    const [row] = await api.sql<{ createdAt: Date }[]>`select created_at from bulk.job`
    const line = {
      level: 'info',
      node: 'n1',
      thread: 2,
      attempt: 1,
      phase: 'plan',
      message: 'planned',
      ms: 5,
    } as const
    await writeJobLog(api.sql, id, { ...line, data: { chunks: 3 } })
    await writeJobLog(api.sql, id, {
      ...line,
      level: 'warn',
      thread: null,
      phase: null,
      ms: null,
      data: null,
    })
    const { body, text } = await api.ask(`/coisas/_bulk/${id}/log`)
    expect(body).toMatchObject({ id, figura: 'coisas' })
    const lines = Object(body.lines)
    expect(lines).toHaveLength(3)
    expect(lines[0]).toEqual({
      at: row?.createdAt.toISOString(),
      level: 'info',
      node: null,
      thread: null,
      attempt: 0,
      phase: null,
      message: 'accepted',
      ms: null,
      data: { url: 'https://example.com/a.parquet', sha256 },
    })
    expect(lines[1]).toEqual({ ...line, at: lines[1].at, data: { chunks: 3 } })
    expect(lines[2]).toMatchObject({ level: 'warn', thread: null, phase: null, ms: null, data: null })
    expect(text).not.toContain('segredo')
  })
})

/** A job whose row has been changed as workers would, and its status. `changes` is SQL. */
async function job(figura: string, changes: string) {
  const id = await api.send(figura)
  await api.sql.unsafe(`update bulk.job set ${changes} where id = '${id}'`)
  const [row] = await api.sql<{ createdAt: Date }[]>`select created_at from bulk.job where id = ${id}`
  const { status, headers, body } = await api.ask(`/${figura}/_bulk/status/${id}`)
  expect(status).toBe(200)
  return { id, created: row?.createdAt.toISOString(), status: body, headers }
}
