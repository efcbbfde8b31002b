import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { inTime } from '../../src/api/in-time.ts'
import { ERRORS } from '../../src/errors.ts'
import { RESERVED_NAMES } from '../../src/figura/load.ts'
import { type Api, startApi } from './api.ts'

const NO_JOB = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('a code', () => {
  test.each(Object.entries(ERRORS))('is explained: %s', async (code, { title, status, retry, action }) => {
    const answer = await api.ask(`/problems/${code}`)
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      code,
      type: `/problems/${code}`,
      title,
      status,
      retry: retry === 'never' ? 'never' : 'later',
      action,
    })
  })

  test('that nobody has is not: the nearest is named', async () => {
    const { status, body } = await api.ask('/problems/key_nul')
    expect([status, body.code, body.nearest]).toEqual([404, 'route_unknown', 'key_null'])
    expect((await api.ask('/problems/toString')).body).toMatchObject({ code: 'route_unknown', nearest: null })
  })
})

describe('an address', () => {
  test.each([
    '/',
    '/nada',
    '/coisas',
    '/coisas/_bulk/status/a/b',
    '/figuras/coisas/nada',
    '/coisas/_bulk/a/b/c',
  ])('that is none is an error: %s', async (path) => {
    const { status, body } = await api.ask(path)
    expect([status, body.code]).toEqual([404, 'route_unknown'])
  })

  test('of the API itself is no figura', async () => {
    for (const name of RESERVED_NAMES) {
      for (const [method, path] of [
        ['PUT', `/${name}/_bulk`],
        ['GET', `/${name}/_bulk/status/${NO_JOB}`],
        ['GET', `/${name}/_bulk/${NO_JOB}/log`],
      ] as const) {
        const init = method === 'PUT' ? { method, body: '{"url":"s3://arquivos/a/b"}' } : { method }
        const { status, body } = await api.ask(path, init)
        // GET /figuras/_bulk is an address, of a figura that cannot be
        const taken = method === 'PUT' && ['figuras', 'problems'].includes(name)
        expect([path, status, body.code]).toEqual(
          taken ? [path, 405, 'method_refused'] : [path, 404, 'route_unknown'],
        )
      }
    }
  })

  test.each([
    ['POST', '/coisas/_bulk', 'GET, HEAD, PUT'],
    ['DELETE', `/coisas/_bulk/status/${NO_JOB}`, 'GET, HEAD'],
    ['PUT', '/figuras', 'GET, HEAD'],
    ['POST', '/figuras/', 'GET, HEAD'],
    ['OPTIONS', '/livez', 'GET, HEAD'],
  ])('that does not take %s says what it takes: %s', async (method, path, allow) => {
    const { status, headers, body } = await api.ask(path, { method })
    expect([status, body.code, headers.get('allow')]).toEqual([405, 'method_refused', allow])
    expect(body.allow).toEqual(allow.split(', '))
  })

  test('answers HEAD as it answers GET, without a body', async () => {
    const id = await api.send('coisas')
    const { status, text } = await api.ask(`/coisas/_bulk/status/${id}`, { method: 'HEAD' })
    expect([status, text]).toEqual([200, ''])
  })
})

describe('a fault of the service', () => {
  test('is masked, and logged under the id that is answered', async () => {
    await api.sql`alter table bulk.job rename column figura to elsewhere`
    try {
      for (const ask of [
        () => api.put('coisas', { url: 's3://arquivos/coisas/a' }),
        () => api.ask('/coisas/_bulk'),
      ]) {
        api.lines.length = 0
        const { status, body, text } = await ask()
        expect([status, body.code]).toEqual([500, 'internal'])
        expect(body.detail).toContain(String(body.id))
        expect(text).not.toContain('does not exist')
        expect(api.lines).toMatchObject([
          { level: 'error', id: body.id, path: '/coisas/_bulk', code: '42703' },
        ])
      }
    } finally {
      await api.sql`alter table bulk.job rename column elsewhere to figura`
    }
  })

  test('is not that the tables are not made yet: that is told as 503', async () => {
    await api.sql`alter table bulk.job rename to elsewhere`
    try {
      const { status, body, headers } = await api.ask('/coisas/_bulk')
      expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
    } finally {
      await api.sql`alter table bulk.elsewhere rename to job`
    }
  })

  test('is what an answer is that does not fit its own schema', async () => {
    const id = await api.send('coisas')
    await api.sql`update bulk.job set rows_done = -1`
    const { status, body } = await api.ask(`/coisas/_bulk/status/${id}`)
    expect([status, body.code]).toEqual([500, 'internal'])
    const [line] = api.lines
    expect(line).toMatchObject({ level: 'error', id: body.id, error: 'An answer does not fit its schema' })
    expect(JSON.stringify(line?.errors)).toContain('/progress/rows/done: ')
    expect(JSON.stringify(line)).not.toContain('s3://')
  })
})

describe('while PostgreSQL is away', () => {
  test('callers are asked to come again', async () => {
    // nothing listens on port 1
    await using away = await startApi({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none' })
    away.figura('coisas')
    const paths = [`/coisas/_bulk/status/${NO_JOB}`, `/coisas/_bulk/${NO_JOB}/log`, '/coisas/_bulk']
    const asked = [
      () => away.put('coisas', { url: 's3://arquivos/coisas/a.parquet' }),
      ...paths.map((path) => () => away.ask(path)),
    ]
    for (const ask of asked) {
      const { status, headers, body } = await ask()
      expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
    }
    expect(away.told).toEqual([])
    expect(away.lines.map(({ level, code }) => [level, code])).toEqual(
      asked.map(() => ['warn', 'ECONNREFUSED']),
    )
    // what needs no database goes on
    expect((await away.ask('/figuras')).status).toBe(200)
    expect((await away.ask('/livez')).status).toBe(200)
  })

  test('no caller waits for ever', async () => {
    const own = new Error('own')
    const ended = (work: Promise<unknown>) => inTime(work, 1).catch((error: unknown) => error)
    expect(await ended(new Promise(() => {}))).toMatchObject({ code: 'unavailable' })
    expect(await ended(Promise.resolve(7))).toBe(7)
    expect(await ended(Promise.reject(own))).toBe(own)
  })
})
