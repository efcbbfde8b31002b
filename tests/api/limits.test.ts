import { describe, expect, test } from 'bun:test'
import { openBucket } from '../../src/api/rate.ts'
import { openRoom } from '../../src/api/room.ts'
import { type Api, startApi } from './api.ts'
import { freshKey } from './keys.ts'

const URL = 's3://arquivos/coisas/a.parquet'
const PLENTY = { perSecond: 1e6, burst: 1e6 }

describe('a bucket of tokens', () => {
  test('gives a burst, and then as many as the rate says', () => {
    const take = openBucket({ perSecond: 10, burst: 3 })
    const at = (ms: number) => take(ms)
    expect([at(0), at(0), at(0)].map(({ ok, left }) => [ok, left])).toEqual([
      [true, 2],
      [true, 1],
      [true, 0],
    ])
    expect(at(0)).toEqual({ ok: false, limit: 3, left: 0, fullSeconds: 1, waitSeconds: 1 })
    expect(at(99).ok).toBe(false)
    expect([at(101).ok, at(102).ok]).toEqual([true, false])
    expect(at(100_000)).toMatchObject({ ok: true, left: 2 })
  })

  test('says how long to wait, and whoever waits so long is served', () => {
    const take = openBucket({ perSecond: 0.1, burst: 1 })
    expect(take(0).ok).toBe(true)
    const { waitSeconds } = take(5000)
    expect(waitSeconds).toBe(5)
    expect(take(5000 + waitSeconds * 1000).ok).toBe(true)
  })

  test('is not moved by a clock that stands or goes back', () => {
    const take = openBucket({ perSecond: 1, burst: 1 })
    expect([take(10_000).ok, take(10_000).ok, take(9000).ok]).toEqual([true, false, false])
  })
})

describe('the rate of a key', () => {
  test('is told with every answer; beyond it there is 429, and other keys are served', async () => {
    await using api = await limited({ rate: { perSecond: 0.5, burst: 3 } })
    const key = await freshKey(api.sql, { coisas: ['read'] })
    const told = []
    for (const path of ['/figuras', '/coisas/_bulk', '/nada/_bulk', '/figuras', '/figuras']) {
      const { status, headers } = await api.ask(path, key)
      told.push([status, ...['limit', 'remaining', 'reset'].map((name) => headers.get(`ratelimit-${name}`))])
    }
    expect(told).toEqual([
      [200, '3', '2', '2'],
      [200, '3', '1', '4'],
      [404, '3', '0', '6'],
      [429, '3', '0', '6'],
      [429, '3', '0', '6'],
    ])
    const { headers, body } = await api.ask('/figuras', key)
    expect([headers.get('retry-after'), body.code, body.retry_after]).toEqual(['2', 'rate_limited', 2])
    expect((await api.ask('/figuras', await freshKey(api.sql, { coisas: ['read'] }))).status).toBe(200)
    expect((await api.ask('/livez', key)).status).toBe(200)
    await Bun.sleep(2000)
    expect((await api.ask('/figuras', key)).status).toBe(200)
  })

  test('is not spent by whoever has its id and not its secret', async () => {
    await using api = await limited({ rate: { perSecond: 0.1, burst: 2 } })
    const key = await freshKey(api.sql, { coisas: ['read'] })
    const forged = { headers: { authorization: `Bearer bulk_${key.id}_${'A'.repeat(43)}` } }
    for (let time = 0; time < 5; time++) expect((await api.ask('/figuras', forged)).status).toBe(401)
    expect((await api.ask('/figuras', key)).headers.get('ratelimit-remaining')).toBe('1')
  })
})

describe('the jobs that wait', () => {
  test('are so many of a figura at the most; other figuras are served, and those that end make room', async () => {
    await using api = await limited({ queue: { perFigura: 3, perKey: 100 } })
    api.figura('outras')
    for (let sent = 0; sent < 3; sent++) await api.send('coisas')
    const { status, headers, body } = await api.put('coisas', { url: URL })
    expect([status, headers.get('retry-after'), body.code, body.limit]).toEqual([429, '10', 'queue_full', 3])
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 3 }])
    await api.send('outras')
    await api.sql`update bulk.job set status = 'completo' where id in (
      select id from bulk.job where figura = 'coisas' limit 1)`
    // a count that refuses is good for 100 ms
    await Bun.sleep(150)
    await api.send('coisas')
    expect((await api.put('coisas', { url: URL })).status).toBe(429)
  })

  test('are so many of a key at the most, over all figuras; other keys are served', async () => {
    await using api = await limited({ rate: PLENTY, queue: { perFigura: 100, perKey: 2 } })
    api.figura('outras')
    const [one, other] = [
      await freshKey(api.sql, { '*': ['submit'] }),
      await freshKey(api.sql, { '*': ['submit'] }),
    ]
    const put = async (figura: string, { headers }: typeof one) => {
      const body = JSON.stringify({ url: `s3://arquivos/${figura}/a` })
      const answer = await api.ask(`/${figura}/_bulk`, { method: 'PUT', body, headers })
      return [answer.status, answer.body.code]
    }
    expect(await put('coisas', one)).toEqual([202, undefined])
    expect(await put('outras', one)).toEqual([202, undefined])
    expect(await put('coisas', one)).toEqual([429, 'queue_full'])
    expect(await put('outras', one)).toEqual([429, 'queue_full'])
    expect(await put('coisas', other)).toEqual([202, undefined])
  })

  test('do not count what was refused, nor what was sent again: it made no job', async () => {
    await using api = await limited({ rate: PLENTY, queue: { perFigura: 2, perKey: 1 } })
    const [one, other] = [
      await freshKey(api.sql, { '*': ['submit'] }),
      await freshKey(api.sql, { '*': ['submit'] }),
    ]
    const put = async (url: string, { headers }: typeof one, key = '') => {
      const sent = new Headers(headers)
      if (key) sent.set('idempotency-key', key)
      const init = { method: 'PUT', body: JSON.stringify({ url }), headers: sent }
      return (await api.ask('/coisas/_bulk', init)).status
    }
    for (let sent = 0; sent < 5; sent++) expect(await put('s3://outros/a', one)).toBe(422)
    const twins = Array.from({ length: 5 }, () => put(URL, one, 'um'))
    expect((await Promise.all(twins)).filter((status) => status === 202).length).toBeGreaterThan(0)
    for (let sent = 0; sent < 5; sent++) expect(await put(URL, one)).toBe(429)
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 1 }])
    expect(await put(URL, other)).toBe(202)
  })

  test('are counted though they come all at once', async () => {
    await using api = await limited({ queue: { perFigura: 10, perKey: 100 } })
    const answers = await Promise.all(Array.from({ length: 40 }, () => api.put('coisas', { url: URL })))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 202)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(30)
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 10 }])
  })

  test('are counted though they come all at once when an earlier count is no longer good', async () => {
    await using api = await limited()
    await api.send('coisas')
    const take = openRoom(api.sql, { perFigura: 10, perKey: 100 })
    await take('coisas', 'key')
    // a count that does not refuse is good for 1 s
    await Bun.sleep(1050)
    const taken = await Promise.allSettled(Array.from({ length: 40 }, () => take('coisas', 'key')))
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(9)
  })

  test('are counted anew once PostgreSQL is back', async () => {
    await using api = await limited({ queue: { perFigura: 2, perKey: 2 } })
    await api.sql`alter table bulk.job rename to elsewhere`
    expect((await api.put('coisas', { url: URL })).status).toBe(503)
    await api.sql`alter table bulk.elsewhere rename to job`
    await api.send('coisas')
  })
})

async function limited(options: Parameters<typeof startApi>[0] = {}): Promise<Api> {
  const api = await startApi(options)
  api.figura('coisas')
  return api
}
