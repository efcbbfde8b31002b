import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { requireScopes } from '../../src/api/gate.ts'
import { MORE } from '../../src/api/operation.ts'
import { revokeKey } from '../../src/db/keys.ts'
import { makeKey, type Scope } from '../../src/key.ts'
import { type Api, startApi } from './api.ts'
import { freshKey } from './keys.ts'

const BODY = '{"url":"s3://arquivos/coisas/a.parquet"}'
/** The answers of another moment would be refused for the rate. */
const PLENTY = { perSecond: 1e6, burst: 1e6 }

let api: Api
beforeAll(async () => {
  api = await startApi({ rate: PLENTY })
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

type Init = { method?: string; body?: string; headers?: Record<string, string> }

async function ask(path: string, init?: Init): Promise<[number, unknown]> {
  const { status, body } = await api.ask(path, init)
  return [status, body.code]
}

describe('a request without a valid key', () => {
  test('is refused, and told how to show one', async () => {
    const { status, headers, body } = await api.ask('/figuras')
    expect([status, body.code, headers.get('www-authenticate')]).toEqual([401, 'key_refused', 'Bearer'])
    expect(body.detail).toContain('found none, expected Authorization: Bearer bulk_…')
  })

  test('is refused alike, whether the key is unknown, expired, revoked, or its secret wrong', async () => {
    const valid = await freshKey(api.sql, { coisas: ['read'] })
    const expired = await freshKey(api.sql, { coisas: ['read'] })
    await api.sql`update bulk.api_key set expires_at = now() - interval '1 second' where id = ${expired.id}`
    const revoked = await freshKey(api.sql, { coisas: ['read'] })
    await revokeKey(api.sql, revoked.id)
    const texts = [
      makeKey().text,
      expired.text,
      revoked.text,
      `bulk_${valid.id}_${makeKey().text.slice(-43)}`,
      valid.text.slice(0, -1),
      `${valid.text}A`,
      valid.text.toUpperCase(),
    ]
    for (const text of texts) {
      const { status, headers, body } = await api.ask('/figuras', {
        headers: { authorization: `Bearer ${text}` },
      })
      expect([status, body.code]).toEqual([401, 'key_refused'])
      expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    }
    expect(await ask('/figuras', valid)).toEqual([200, undefined])
  })

  test('is refused for a header of another kind', async () => {
    const { text } = await freshKey(api.sql, { '*': ['read'] })
    for (const authorization of ['', text, `Basic ${text}`, `Bearer`, `Bearer ${text} ${text}`]) {
      const { status, headers } = await api.ask('/figuras', { headers: { authorization } })
      expect([authorization, status, headers.get('www-authenticate')]).toEqual([
        authorization,
        401,
        'Bearer error="invalid_request"',
      ])
    }
    expect(await ask('/figuras', { headers: { authorization: `bearer  ${text}` } })).toEqual([200, undefined])
  })

  test('is refused before its body is read', async () => {
    const body = '{'.repeat(200_000)
    expect(await ask('/coisas/_bulk', { method: 'PUT', body })).toEqual([401, 'key_refused'])
  })

  test('may see what is open to everybody', async () => {
    for (const path of ['/livez', '/readyz', '/docs', '/docs/json', '/problems/key_refused', '/favicon.ico'])
      expect([path, (await api.ask(path)).status]).toEqual([path, 200])
    expect(await ask('/')).toEqual([404, 'route_unknown'])
    expect(await ask('/coisas/_bulk', { method: 'PATCH' })).toEqual([405, 'method_refused'])
  })

  test('is told of no figura, not even in the documentation', async () => {
    const { text } = await api.ask('/docs/json')
    expect(text).not.toContain('coisas')
    const known = await freshKey(api.sql, { coisas: ['read'] })
    expect((await api.ask('/docs/json', known)).text).toContain('Row_coisas')
    const other = await freshKey(api.sql, { outras: ['read'] })
    expect((await api.ask('/docs/json', other)).text).not.toContain('coisas')
  })
})

/** Every address with a figura, with the scope that it needs. Who adds one, says it here too. */
const NEEDS: Record<string, Scope> = {
  'PUT /:figura/_bulk': 'submit',
  'GET /:figura/_bulk': 'read',
  'GET /:figura/_bulk/status/:id': 'read',
  'GET /:figura/_bulk/:id/log': 'read',
  'GET /:figura/_bulk/:id/rejects': 'read',
  'GET /figuras/:figura': 'read',
  'DELETE /:figura/_bulk/:id': 'cancel',
  'POST /:figura/_bulk/:id/retry': 'submit',
  'POST /:figura/_bulk/pause': 'operate',
  'POST /:figura/_bulk/resume': 'operate',
}

describe('what a key may do', () => {
  test('is said of every address with a figura', () => {
    const routes = api.app.routes.filter(({ path }) => path.includes(':figura'))
    const said = routes.map(({ method, path, hooks }) => [`${method} ${path}`, hooks.detail[MORE].scope])
    expect(Object.fromEntries(said)).toEqual(NEEDS)
  })

  test('must be said: an address that forgets it keeps the service from starting', () => {
    const path = '/:figura/_bulk/novo'
    expect(() => requireScopes([{ method: 'POST', path, hooks: {} }])).toThrow(
      `no scope is said of POST ${path}`,
    )
    expect(() => requireScopes([{ method: 'GET', path: '/aberto' }])).not.toThrow()
  })

  test.each(Object.entries(NEEDS))('is all that it may: %s', async (address, need) => {
    const [method = '', pattern = ''] = address.split(' ')
    const job = await sendAs(await freshKey(api.sql, { '*': ['submit'] }))
    const path = (figura: string) => pattern.replace(':figura', figura).replace(':id', job)
    const body = method === 'PUT' ? BODY : undefined
    for (const scope of ['submit', 'read', 'cancel', 'operate'] as const) {
      for (const place of ['coisas', '*']) {
        const { headers } = await freshKey(api.sql, { [place]: [scope] })
        const [status, code] = await ask(path('coisas'), { method, body, headers })
        if (scope === need) expect([401, 403, 404]).not.toContain(status)
        else expect([scope, status, code]).toEqual([scope, 403, 'scope_missing'])
      }
      const { headers } = await freshKey(api.sql, { outras: [scope] })
      expect(await ask(path('coisas'), { method, body, headers })).toEqual([404, 'figura_unknown'])
    }
    expect(await ask(path('coisas'), { method, body })).toEqual([401, 'key_refused'])
    expect(await ask(path('nada'), { method, body })).toEqual([401, 'key_refused'])
  })

  test('is answered with the scope that is missing', async () => {
    const { headers } = await freshKey(api.sql, { coisas: ['read'] })
    const answer = await api.ask('/coisas/_bulk', { method: 'PUT', body: BODY, headers })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="submit"')
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 0 }])
  })

  test('a figura that it may do nothing with is like one that is not there', async () => {
    api.figura('fornecedores')
    const job = await sendAs(await freshKey(api.sql, { '*': ['submit'] }))
    const { headers } = await freshKey(api.sql, { fornecedores: ['read', 'submit'] })
    for (const path of ['/X/_bulk', `/X/_bulk/status/${job}`, `/X/_bulk/${job}/log`, '/figuras/X']) {
      const [there, none] = await Promise.all(
        ['coisas', 'cousas'].map((name) => api.ask(path.replace('X', name), { headers })),
      )
      expect(there?.status).toBe(404)
      expect(there?.text.replaceAll('coisas', 'cousas')).toBe(none?.text ?? '')
      expect(there?.body).toMatchObject({ nearest: null, figuras: ['fornecedores'] })
    }
  })

  test('an address of the API is no figura either, whether a body comes with the request or not', async () => {
    const { headers } = await freshKey(api.sql, { coisas: ['read', 'operate', 'cancel', 'submit'] })
    const id = crypto.randomUUID()
    for (const [method, path] of [
      ['POST', '/metrics/_bulk/pause'],
      ['DELETE', `/metrics/_bulk/${id}`],
      ['POST', `/metrics/_bulk/${id}/retry`],
      ['PUT', '/metrics/_bulk'],
    ] as const) {
      for (const body of [undefined, BODY])
        expect([path, body, ...(await ask(path, { method, body, headers }))]).toEqual([
          path,
          body,
          404,
          'route_unknown',
        ])
    }
  })

  test('the job of another figura is not found under its own', async () => {
    api.figura('outras')
    const job = await sendAs(await freshKey(api.sql, { '*': ['submit'] }))
    const { headers } = await freshKey(api.sql, { outras: ['read'] })
    expect(await ask(`/outras/_bulk/status/${job}`, { headers })).toEqual([404, 'job_unknown'])
    expect(await ask(`/outras/_bulk/${job}/log`, { headers })).toEqual([404, 'job_unknown'])
    expect(await ask(`/outras/_bulk/${job}/rejects`, { headers })).toEqual([404, 'job_unknown'])
  })

  test('the list has its figuras alone', async () => {
    api.figura('outras')
    const names = async (grants: Parameters<typeof freshKey>[1]) => {
      const { body } = await api.ask('/figuras', await freshKey(api.sql, grants))
      return Object(body.figuras).map(({ name }: { name: string }) => name)
    }
    expect(await names({ coisas: ['cancel'] })).toEqual(['coisas'])
    expect(await names({ '*': ['read'] })).toEqual(['coisas', 'outras'])
    expect(await names({ nada: ['read'] })).toEqual([])
    expect(await names({ coisas: [] })).toEqual([])
  })

  test('is the same for an address that is spelled in an odd way, and for HEAD', async () => {
    const { headers } = await freshKey(api.sql, { outras: ['read'] })
    for (const path of ['/coisas/_bulk/', '/%63oisas/_bulk', '/coisas/_bulk?a=b']) {
      expect([path, (await api.ask(path, { headers })).status]).toEqual([path, 404])
      expect([path, (await api.ask(path, { method: 'HEAD' })).status]).toEqual([path, 401])
    }
  })
})

describe('a key', () => {
  test('is written into the row of the job', async () => {
    const key = await freshKey(api.sql, { coisas: ['submit'] })
    await sendAs(key)
    expect(await api.sql`select caller from bulk.job`).toMatchObject([{ caller: key.id }])
  })

  test('is kept as a digest, and shown nowhere', async () => {
    const key = await freshKey(api.sql, { coisas: ['submit', 'read'] })
    const job = await sendAs(key)
    const [row] = await api.sql`select api_key::text as kept from bulk.api_key where id = ${key.id}`
    const shown = [
      row?.kept,
      (await api.ask(`/coisas/_bulk/status/${job}`, key)).text,
      (await api.ask(`/coisas/_bulk/${job}/log`, key)).text,
      JSON.stringify(api.lines),
    ]
    for (const text of shown) expect(text).not.toContain(key.text.slice(-43))
  })

  test('that is revoked stops within 10 seconds, though it is in use; until then it costs no statement', async () => {
    const key = await freshKey(api.sql, { coisas: ['read'] })
    expect(await ask('/figuras', key)).toEqual([200, undefined])
    await revokeKey(api.sql, key.id)
    expect(await ask('/figuras', key)).toEqual([200, undefined])
    const since = performance.now()
    while ((await api.ask('/figuras', key)).status === 200) await Bun.sleep(100)
    expect(performance.now() - since).toBeWithin(2000, 10_000)
  }, 20_000)

  test('that expires stops at its moment', async () => {
    const key = await freshKey(api.sql, { coisas: ['read'] })
    await api.sql`update bulk.api_key set expires_at = now() + interval '700 ms' where id = ${key.id}`
    expect(await ask('/figuras', key)).toEqual([200, undefined])
    await Bun.sleep(1000)
    expect(await ask('/figuras', key)).toEqual([401, 'key_refused'])
  })

  test('cannot be looked at while PostgreSQL is away: that is no refusal', async () => {
    await using away = await startApi({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none', rate: PLENTY })
    const headers = { authorization: `Bearer ${makeKey().text}` }
    for (const [path, init] of [
      ['/figuras', { headers }],
      ['/coisas/_bulk', { headers, method: 'PUT', body: BODY }],
      ['/coisas/_bulk/pause', { headers, method: 'POST', body: '{}' }],
    ] as const) {
      const { status, body } = await away.ask(path, init)
      expect([path, status, body.code]).toEqual([path, 503, 'unavailable'])
    }
    expect((await away.ask('/livez', { headers })).status).toBe(200)
  })

  test('that was revoked may be tried on and on, and is refused each time', async () => {
    const key = await freshKey(api.sql, { coisas: ['read'] })
    await revokeKey(api.sql, key.id)
    for (let time = 0; time < 300; time++) {
      const { status } = await api.app.handle(
        new Request('http://localhost/figuras', { headers: key.headers }),
      )
      expect(status).toBe(401)
    }
    expect(await ask('/figuras', await freshKey(api.sql, { coisas: ['read'] }))).toEqual([200, undefined])
  })

  test('that nobody has is looked for so often and no more: those in use go on', async () => {
    await using tried = await startApi({ rate: PLENTY })
    tried.figura('coisas')
    const key = await freshKey(tried.sql, { coisas: ['read'] })
    expect((await tried.ask('/figuras', key)).status).toBe(200)
    const asked = Array.from({ length: 300 }, () =>
      tried.app.handle(
        new Request('http://localhost/figuras', { headers: { authorization: `Bearer ${makeKey().text}` } }),
      ),
    )
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
    expect((await tried.ask('/figuras', key)).status).toBe(200)
  })
})

/** Sends a file for `coisas`, and gives the id of its job. */
async function sendAs({ headers }: { headers: Record<string, string> }): Promise<string> {
  const { status, body } = await api.ask('/coisas/_bulk', { method: 'PUT', body: BODY, headers })
  if (status !== 202) throw new Error(JSON.stringify(body))
  return String(body.id)
}
