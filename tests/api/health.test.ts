import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createHealth } from '../../src/api/health.ts'
import { createLog } from '../../src/log.ts'
import { type Api, startApi } from './api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

test('a node that has all it needs is alive and ready', async () => {
  expect(await api.ask('/livez')).toMatchObject({ status: 200, body: { alive: true } })
  const { status, headers, body } = await api.ask('/readyz')
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body).toEqual({ ready: true, checks: { postgres: 'ok' } })
})

test('a node that lacks something is alive, and names what it lacks', async () => {
  const checks = { postgres: 'does not answer', nats: 'ok', worker: 'starting' }
  api.ready = { ready: false, checks }
  expect((await api.ask('/livez')).status).toBe(200)
  const { status, headers, body } = await api.ask('/readyz')
  expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
  expect(body.checks).toEqual(checks)
  expect(body.detail).toContain('postgres: does not answer; worker: starting')
  api.ready = { ready: true, checks: {} }
})

describe('a node that only works', () => {
  const app = createHealth({
    readiness: async () => ({ ready: false, checks: { worker: 'starting' } }),
    log: createLog({}, () => {}),
  })
  const ask = async (path: string, method = 'GET') => {
    const response = await app.handle(new Request(`http://localhost${path}`, { method }))
    return { status: response.status, body: await response.json() }
  }

  test('tells of its health', async () => {
    expect(await ask('/livez')).toEqual({ status: 200, body: { alive: true } })
    expect(await ask('/readyz')).toMatchObject({
      status: 503,
      body: { code: 'unavailable', checks: { worker: 'starting' } },
    })
  })

  test('has no other address', async () => {
    expect(await ask('/coisas/_bulk', 'PUT')).toMatchObject({ status: 404, body: { code: 'route_unknown' } })
    expect(await ask('/livez', 'POST')).toMatchObject({ status: 405, body: { code: 'method_refused' } })
  })
})
