import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type Api, figuraText, startApi } from './api.ts'

const URL = 's3://arquivos/coisas/a.parquet'
const OTHER = 's3://arquivos/coisas/b.parquet'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

function put(key: string, body: unknown = { url: URL }, figura = 'coisas') {
  const headers = { 'idempotency-key': key }
  return api.ask(`/${figura}/_bulk`, { method: 'PUT', body: JSON.stringify(body), headers })
}

const jobs = async () => (await api.sql`select id from bulk.job`).map(({ id }) => id)

describe('a request with an Idempotency-Key', () => {
  test('that is sent again has the same answer, and makes no second job', async () => {
    const first = await put('um')
    const second = await put('um')
    expect([first.status, second.status]).toEqual([202, 202])
    expect(second.body).toEqual(first.body)
    expect(second.headers.get('location')).toBe(first.headers.get('location'))
    expect([first, second].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    expect(await jobs()).toEqual([first.body.id])
    expect(api.told).toHaveLength(1)
  })

  test('is the same whatever the order and the spaces of its fields', async () => {
    const sha256 = 'a'.repeat(64)
    const first = await put('um', { url: URL, sha256 })
    const body = `{ "sha256": "${sha256}",\n "url": "${URL}" }`
    const second = await api.ask('/coisas/_bulk', {
      method: 'PUT',
      body,
      headers: { 'idempotency-key': 'um' },
    })
    expect(second.body.id).toBe(first.body.id)
  })

  test('is refused with another body, and the key is named', async () => {
    await put('um')
    const { status, body } = await put('um', { url: OTHER })
    expect([status, body.code]).toEqual([422, 'idempotency_key_reused'])
    expect(String(body.detail)).toContain('um')
    expect(await jobs()).toHaveLength(1)
  })

  test('that comes many times at once makes one job', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => put('um')))
    expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(202))
    const [id] = await jobs()
    expect(new Set(answers.map(({ body }) => body.id))).toEqual(new Set([id]))
    expect(await jobs()).toHaveLength(1)
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1)
  })

  test('that comes at once with two bodies makes one job, and one of them is refused', async () => {
    // both have looked for the key in vain before either makes its job
    let looks = 0
    const both = Promise.withResolvers<void>()
    api.preflight = async () => {
      if (++looks === 2) both.resolve()
      await both.promise
    }
    const answers = await Promise.all([put('um'), put('um', { url: OTHER })])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 422]))
    expect(await jobs()).toHaveLength(1)
    expect(api.told).toHaveLength(1)
  })

  test('is answered before the file is looked at, and while the figura is broken', async () => {
    const first = await put('um')
    api.preflight = () => Promise.reject(new Error('no look is taken'))
    api.figura('coisas', figuraText('coisas').replace('bigint', 'inteiro'))
    expect((await put('um')).body).toEqual(first.body)
    expect((await put('dois')).body.code).toBe('figura_broken')
  })

  test('leaves nothing when it is refused: the key is free', async () => {
    expect((await put('um', { url: 's3://outro/a.parquet' })).body.code).toBe('source_refused')
    expect((await put('um')).status).toBe(202)
  })

  test('is apart for each figura', async () => {
    api.figura('outras')
    await put('um')
    const other = await put('um', { url: 's3://arquivos/outras/a.parquet' }, 'outras')
    expect([other.status, other.headers.get('idempotency-replayed')]).toEqual([202, null])
    expect(await jobs()).toHaveLength(2)
  })

  test('is a new one once its time is over', async () => {
    const first = await put('um')
    await api.sql`update bulk.idempotency set at = now() - interval '25 hours'`
    const second = await put('um', { url: OTHER })
    expect([second.status, second.headers.get('idempotency-replayed')]).toEqual([202, null])
    expect(second.body.id).not.toBe(first.body.id)
    expect((await put('um', { url: OTHER })).body.id).toBe(second.body.id)
  })

  test('may have a key of 255 characters, and no longer or stranger one', async () => {
    expect((await put('k'.repeat(255))).status).toBe(202)
    for (const key of ['k'.repeat(256), 'com espaço', '', 'a b', 'chave-ç']) {
      const { status, body } = await put(key)
      expect([key, status, body.code]).toEqual([key, 422, 'idempotency_key_invalid'])
    }
    expect(await jobs()).toHaveLength(1)
  })

  test('keeps no address, since one may hold a secret', async () => {
    await put('um', { url: 'https://example.com/a.parquet?X-Amz-Signature=segredo' })
    const [row] = await api.sql`select idempotency::text as text from bulk.idempotency`
    expect(row?.text).toContain('um')
    expect(row?.text).not.toMatch(/segredo|example/)
  })

  test('for no figura at all is no request', async () => {
    expect((await put('um', { url: URL }, '%00')).status).toBe(404)
  })
})

describe('a retry with an Idempotency-Key', () => {
  const retry = (id: string, key: string, body?: unknown) =>
    api.ask(`/coisas/_bulk/${id}/retry`, {
      method: 'POST',
      body: body === undefined ? null : JSON.stringify(body),
      headers: { 'idempotency-key': key },
    })
  const failed = async () => {
    const id = await api.send('coisas')
    await api.sql`update bulk.job set status = 'erro', finished_at = now() where id = ${id}`
    return id
  }

  test('that is sent again has the same answer, and makes no second job', async () => {
    const old = await failed()
    expect((await retry(old, 'de novo')).body.code).toBe('idempotency_key_invalid')
    const answers = await Promise.all([1, 2, 3].map(() => retry(old, 'outra-vez')))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    const again = await retry(old, 'outra-vez')
    expect([again.body.id, again.headers.get('idempotency-replayed')]).toEqual([answers[0]?.body.id, 'true'])
    expect(await jobs()).toHaveLength(2)
  })

  test('is another request than the PUT, one from elsewhere, and that of another job', async () => {
    const old = await failed()
    expect((await retry(old, 'um')).status).toBe(202)
    const others = [
      await put('um'),
      await retry(old, 'um', { url: OTHER }),
      await retry(await failed(), 'um'),
    ]
    expect(others.map(({ body }) => body.code)).toEqual(Array(3).fill('idempotency_key_reused'))
  })
})
