import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type Api, BODY_BYTES, figuraText, startApi } from './api.ts'

const URL = 's3://arquivos/coisas/a.parquet'
const LONG = `s3://a/${'b'.repeat(8192)}`

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('a file that is sent', () => {
  test('is accepted with an id of version 7 and the address of its status', async () => {
    const { status, headers, body } = await api.put('coisas', { url: URL })
    expect(status).toBe(202)
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const statusUrl = `/coisas/_bulk/status/${body.id}`
    expect(body).toEqual({ id: body.id, figura: 'coisas', status: 'enfileirado', status_url: statusUrl })
    expect(headers.get('location')).toBe(statusUrl)
    expect(headers.get('retry-after')).toBe('1')
    expect((await api.ask(statusUrl)).body).toMatchObject({ id: body.id, status: 'enfileirado' })
  })

  test('is a committed row when the queue is told of it', async () => {
    const rows: unknown[] = []
    const told = new Promise<void>((resolve, reject) => {
      api.onAccepted = (job) => {
        // another connection sees the row, so it is committed
        api.sql`select figura, ring from bulk.job where id = ${job.id}`
          .then((found) => rows.push([job, ...found]))
          .then(() => resolve(), reject)
      }
    })
    const id = await api.send('coisas')
    await told
    expect(rows).toEqual([
      [
        { id, figura: 'coisas', ring: 0 },
        { figura: 'coisas', ring: 0 },
      ],
    ])
  })

  test('keeps what may be shown of its address, and the digest in small letters', async () => {
    const url = 'https://example.com/a%20b.parquet?X-Amz-Signature=segredo'
    const sha256 = 'ABCDEF0123456789'.repeat(4)
    const { body } = await api.put('coisas', { url, sha256 })
    const [row] = await api.sql`select url, sha256 from bulk.job`
    expect(row).toEqual({ url: 'https://example.com/a%20b.parquet', sha256: sha256.toLowerCase() })
    const status = await api.ask(String(body.status_url))
    expect(status.body).toMatchObject({ source: { url: 'https://example.com/a%20b.parquet' } })
    expect(status.text).not.toContain('segredo')
  })

  test('may be called whatever, as long as it is JSON', async () => {
    const types = [
      'application/json',
      'application/x-www-form-urlencoded',
      'text/xml',
      'multipart/form-data',
      'x',
    ]
    for (const type of [...types, undefined]) {
      const headers = type === undefined ? undefined : { 'content-type': type }
      const body = new TextEncoder().encode(JSON.stringify({ url: URL }))
      const { status } = await api.ask('/coisas/_bulk', { method: 'PUT', body, headers })
      expect([type, status]).toEqual([type, 202])
    }
  })

  test('is accepted under the contract of that moment, which is kept once', async () => {
    await api.send('coisas')
    await api.send('coisas')
    api.figura('coisas', figuraText('coisas').replace('varchar(40)', 'text'))
    await api.send('coisas')
    const types = await api.sql`
      select c.definition #>> '{columns,1,type,kind}' as type, count(*) as jobs
      from bulk.job j join bulk.contract c on c.hash = j.contract group by 1 order by 1
    `
    expect([...types]).toEqual([
      { type: 'text', jobs: 1 },
      { type: 'varchar', jobs: 2 },
    ])
  })

  test('is accepted though somebody has cleared the contracts', async () => {
    await api.send('coisas')
    await api.sql.unsafe('truncate bulk.contract cascade')
    await api.send('coisas')
    expect(await api.sql`select count(*) from bulk.contract`).toMatchObject([{ count: 1 }])
  })

  test('can be sent for a figura that was dropped in a moment ago', async () => {
    expect((await api.put('novas', { url: 's3://arquivos/novas/a.parquet' })).status).toBe(404)
    api.figura('novas')
    await api.send('novas')
  })

  test('is accepted though the queue could not be told', async () => {
    api.onAccepted = () => {
      throw new Error('no queue')
    }
    expect((await api.put('coisas', { url: URL })).status).toBe(202)
    expect(api.lines).toMatchObject([{ level: 'warn', error: 'no queue' }])
  })
})

describe('a file is refused, and no job made', () => {
  test('when the figura is unknown: the nearest one is named', async () => {
    api.figura('fornecedores')
    for (const name of ['fornecedor', 'FORNECEDORES', 'fornecedroes']) {
      const { status, body } = await api.put(name, { url: URL })
      expect(status).toBe(404)
      expect(body).toMatchObject({
        code: 'figura_unknown',
        nearest: 'fornecedores',
        figuras: ['coisas', 'fornecedores'],
      })
      expect(body.detail).toContain('Did you mean fornecedores?')
    }
    expect((await api.put('nada_disso', { url: URL })).body).toMatchObject({ nearest: null })
  })

  test('when the file of the figura is broken: file, line, found and expected are told', async () => {
    api.figura('coisas', figuraText('coisas').replace('bigint', 'inteiro'))
    const { status, body } = await api.put('coisas', { url: URL })
    expect(status).toBe(409)
    expect(body).toMatchObject({ code: 'figura_broken', errors: [{ file: 'coisas.yaml', line: 5 }] })
    expect(JSON.stringify(body.errors)).toContain('inteiro')
  })

  test('when its address is none of the sources', async () => {
    for (const url of [
      's3://outros/a.parquet',
      'ftp://example.com/a',
      'http://127.0.0.1/a',
      's3://arquivos/coisas/',
    ]) {
      const { status, body } = await api.put('coisas', { url })
      expect([url, status, body.code]).toEqual([url, 422, 'source_refused'])
    }
  })

  test('when the body is not JSON', async () => {
    const bodies = ['', ' ', '{', '{"url": }', 'url=s3://a/b', '[1', '{"url":"s3://a/b"', '['.repeat(60_000)]
    for (const body of bodies) {
      const answer = await api.ask('/coisas/_bulk', { method: 'PUT', body })
      expect([answer.status, answer.body.code]).toEqual([400, 'body_not_json'])
    }
  })

  test('when lists or objects are nested in one another beyond any sense', async () => {
    const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const objects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
    for (const nested of [lists(10), lists(30_000), objects(9000)])
      for (const field of ['url', 'urls', 'outro']) {
        const answer = await api.ask('/coisas/_bulk', { method: 'PUT', body: `{"${field}":${nested}}` })
        expect([field, answer.status, answer.body.code]).toEqual([field, 422, 'body_invalid'])
      }
    expect(api.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('when there is no body', async () => {
    const { body } = await api.ask('/coisas/_bulk', { method: 'PUT' })
    expect(body).toMatchObject({
      code: 'body_not_json',
      detail: expect.stringContaining('found an empty body'),
    })
  })

  const address = 'an address such as s3://bucket/key, of at most 8192 characters'
  const digest = '64 hexadecimal digits'
  const fields = 'url, urls, sha256, etag, mode, dry_run'
  const known = `one of ${fields}`
  const several = 'a list of 1 to 1000 addresses, no two alike'
  const modes = 'one of merge, append, insert, replace, delete'
  test.each([
    [{}, [['url', 'nothing', address]]],
    [{ url: 5 }, [['url', '5', address]]],
    [{ url: '' }, [['url', 'an empty text', address]]],
    [{ url: ['s3://a/b'] }, [['url', 'a list', address]]],
    [{ url: LONG }, [['url', 'a text of 8199 characters', address]]],
    [{ url: URL, sha256: 'xyz' }, [['sha256', 'a text of 3 characters', digest]]],
    [{ url: URL, sha256: null }, [['sha256', 'null', digest]]],
    [{ url: URL, mode: 'upsert' }, [['mode', 'a text of 6 characters', modes]]],
    [{ url: URL, dry_run: true }, [['dry_run', 'true', 'one of schema, rows, impact']]],
    [{ url: URL, etag: 'W/"a"' }, [['etag', 'a text of 5 characters', 'a strong ETag, such as "9b2cf535"']]],
    [{ url: URL, urls: [URL] }, [['urls', 'a list beside `url`', 'either `url` or `urls`']]],
    [{ urls: [] }, [['urls', 'a list', several]]],
    [{ urls: URL }, [['urls', `a text of ${URL.length} characters`, several]]],
    [{ urls: [URL, 5] }, [['urls.1', '5', several]]],
    [{ urls: [URL, URL] }, [['urls', 'a file that is there twice (addresses 1 and 2)', 'each file once']]],
    [{ urls: [URL, `${URL}*`] }, [['urls', 'an address with a "*"', 'such an address alone, as `url`']]],
    [
      { urls: [URL, `${URL}2`], sha256: '0'.repeat(64) },
      [['sha256', 'a value beside several files', 'it only with the `url` of one file']],
    ],
    [
      { url: 's3://arquivos/coisas/*.parquet', etag: 'a' },
      [['etag', 'a value beside several files', 'it only with the `url` of one file']],
    ],
    [{ url: URL, sha25: '' }, [['sha25', 'an unknown field', `sha256 (known are ${fields})`]]],
    [JSON.parse(`{"url":"${URL}","__proto__":1}`), [['__proto__', 'an unknown field', known]]],
    [
      { URL, sha256: true },
      [
        ['URL', 'an unknown field', `url (known are ${fields})`],
        ['sha256', 'true', digest],
      ],
    ],
    [[URL], [['(all of it)', 'a list', 'an object such as {"url": "s3://bucket/key"}']]],
    [
      URL,
      [['(all of it)', `a text of ${URL.length} characters`, 'an object such as {"url": "s3://bucket/key"}']],
    ],
    [null, [['(all of it)', 'null', 'an object such as {"url": "s3://bucket/key"}']]],
  ])('when a field is wrong: every one is named (%#)', async (sent, wrong) => {
    const { status, body } = await api.put('coisas', sent)
    expect([status, body.code]).toEqual([422, 'body_invalid'])
    expect(body.errors).toEqual(wrong.map(([field, found, expected]) => ({ field, found, expected })))
  })

  test('when the body is too large, whether its length is announced or not', async () => {
    const text = JSON.stringify({ url: URL }).padEnd(BODY_BYTES + 1)
    for (const body of [text, new Blob([text]).stream()]) {
      const answer = await api.ask('/coisas/_bulk', { method: 'PUT', body })
      expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large'])
      expect(answer.body.detail).toContain(
        'Send addresses, never the file itself; of many files a prefix with a *, ',
      )
    }
    const { status } = await api.ask('/coisas/_bulk', { method: 'PUT', body: text.slice(0, BODY_BYTES) })
    expect(status).toBe(202)
    await api.sql`delete from bulk.job`
  })

  afterAll(async () => {
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 0 }])
  })
})
