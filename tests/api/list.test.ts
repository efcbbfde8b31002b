import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { cursorOf, jobBefore } from '../../src/api/cursor.ts'
import { type Api, startApi } from './api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('the jobs of a figura', () => {
  test('are listed newest first, each as its status shows it', async () => {
    api.figura('outras')
    const ids = [await api.send('coisas'), await api.send('coisas')]
    await api.send('outras')
    await api.sql`update bulk.job set status = 'cancelado', finished_at = created_at`
    const { body, headers } = await api.ask('/coisas/_bulk')
    expect(body.next).toBeNull()
    expect(idsOf(body)).toEqual(ids.toReversed())
    expect(Object(body.jobs)[1]).toEqual((await api.ask(`/coisas/_bulk/status/${ids[0]}`)).body)
    expect(headers.get('cache-control')).toBe('no-store')
  })

  test('come in pages that new jobs do not shift', async () => {
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.push(await api.send('coisas'))
    const seen: string[] = []
    let next: unknown = undefined
    do {
      const page = await api.ask(`/coisas/_bulk?limit=3${next === undefined ? '' : `&cursor=${next}`}`)
      seen.push(...idsOf(page.body))
      next = page.body.next
      await api.send('coisas')
    } while (next !== null)
    expect(seen).toEqual(ids.toReversed())
  })

  test('come in pages that end where the jobs end', async () => {
    for (let i = 0; i < 2; i++) await api.send('coisas')
    expect((await api.ask('/coisas/_bulk?limit=2')).body.next).toBeNull()
    const [, oldest] = idsOf((await api.ask('/coisas/_bulk')).body)
    const beyond = await api.ask(`/coisas/_bulk?cursor=${cursorOf(String(oldest))}`)
    expect(beyond.body).toEqual({ jobs: [], next: null })
  })

  test('are fifty on a page unless told', async () => {
    await api.send('coisas')
    await api.sql`
      insert into bulk.job (id, figura, contract, url)
      select gen_random_uuid(), figura, contract, url from bulk.job, generate_series(1, 210)
    `
    expect(idsOf((await api.ask('/coisas/_bulk')).body)).toHaveLength(50)
    const { body } = await api.ask('/coisas/_bulk?limit=200')
    expect([idsOf(body).length, typeof body.next]).toEqual([200, 'string'])
  })

  test('can be asked for by status', async () => {
    const [one, two] = [await api.send('coisas'), await api.send('coisas')]
    await api.sql`update bulk.job set status = 'completo', finished_at = now() where id = ${one}`
    expect(idsOf((await api.ask('/coisas/_bulk?status=completo')).body)).toEqual([one])
    expect(idsOf((await api.ask('/coisas/_bulk?status=enfileirado')).body)).toEqual([two])
    expect((await api.ask('/coisas/_bulk?status=erro')).body).toEqual({ jobs: [], next: null })
  })

  const limit = 'a whole number from 1 to 200'
  const cursor = 'the `next` of an earlier page, as it was answered'
  const known = 'one of status, limit, cursor'
  test.each([
    ['limit=0', [['limit', '"0"', limit]]],
    ['limit=201', [['limit', '"201"', limit]]],
    ['limit=1.5', [['limit', '"1.5"', limit]]],
    ['limit=', [['limit', '""', limit]]],
    ['status=feito', [['status', '"feito"', 'one of enfileirado, processando, completo, erro, cancelado']]],
    ['cursor=abc', [['cursor', '"abc"', cursor]]],
    // fits the pattern, and was never answered: its last character has bits that no id has
    [`cursor=${'_'.repeat(22)}`, [['cursor', JSON.stringify('_'.repeat(22)), cursor]]],
    ['statsu=erro', [['statsu', 'an unknown field', 'status (known are status, limit, cursor)']]],
    [
      'page=2&limit=x',
      [
        ['page', 'an unknown field', known],
        ['limit', '"x"', limit],
      ],
    ],
  ])('are not listed for ?%s: every wrong parameter is named', async (query, wrong) => {
    const { status, body } = await api.ask(`/coisas/_bulk?${query}`)
    expect([status, body.code]).toEqual([422, 'query_invalid'])
    expect(body.errors).toEqual(wrong.map(([field, found, expected]) => ({ field, found, expected })))
  })
})

test('a cursor stands for one job', () => {
  for (let i = 0; i < 100; i++) {
    const id = Bun.randomUUIDv7()
    expect(jobBefore(cursorOf(id))).toBe(id)
  }
})

function idsOf(body: Record<string, unknown>): string[] {
  return Object(body.jobs).map(({ id }: { id: string }) => id)
}
