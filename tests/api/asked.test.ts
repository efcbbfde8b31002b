import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { BulkError } from '../../src/errors.ts'
import { freshBucket } from '../support/servers.ts'
import { unsealUrl } from '../../src/seal.ts'
import { type Api, figuraText, SECRET_KEY, startApi } from './api.ts'

const URL = 's3://arquivos/coisas/a.parquet'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('what is asked for with a file', () => {
  test('is kept with the job: mode, trial and ETag', async () => {
    api.figura('coisas', `${figuraText('coisas')}load: { mode: merge, allow: [replace] }\n`)
    const { status, body } = await api.put('coisas', {
      url: URL,
      etag: 'abc',
      mode: 'replace',
      dry_run: 'impact',
    })
    expect(status).toBe(202)
    const [row] =
      await api.sql`select mode, dry_run, etag, url, urls from bulk.job where id = ${String(body.id)}`
    expect(row).toEqual({ mode: 'replace', dryRun: 'impact', etag: '"abc"', url: URL, urls: null })
    const found = await api.ask(String(body.status_url))
    expect(found.body).toMatchObject({ mode: 'replace', dry_run: 'impact', source: { etag: '"abc"' } })
  })

  test('is refused where the figura does not allow the mode, and names those that it does', async () => {
    const { status, body } = await api.put('coisas', { url: URL, mode: 'delete' })
    expect(status).toBe(422)
    expect(body).toMatchObject({ code: 'mode_refused', allow: ['merge'] })
    expect((await api.put('coisas', { url: URL, mode: 'merge' })).status).toBe(202)
  })
})

describe('several files', () => {
  test('are one job, which shows them without what could be a secret', async () => {
    const urls = ['https://example.com/a.parquet?X-Amz-Signature=segredo', 's3://arquivos/coisas/b.parquet']
    const { status, body } = await api.put('coisas', { urls })
    expect(status).toBe(202)
    const id = String(body.id)
    const [row] = await api.sql`select url, urls, secret from bulk.job where id = ${id}`
    const shown = ['https://example.com/a.parquet', 's3://arquivos/coisas/b.parquet']
    expect(row).toMatchObject({ url: shown[0], urls: shown })
    const opened = shown.map((url, no) =>
      unsealUrl(url, { no, sealed: row?.secret, job: id, key: SECRET_KEY }),
    )
    expect(opened).toEqual(urls)
    await api.sql`
      insert into bulk.file (job, no, url, bytes, rows) values (${String(body.id)}, 1, ${urls[1] ?? ''}, 30, 2)
    `
    const found = await api.ask(String(body.status_url))
    expect(found.body.files).toEqual([
      { url: 'https://example.com/a.parquet', rows: null, bytes: null },
      { url: 's3://arquivos/coisas/b.parquet', rows: 2, bytes: 30 },
    ])
    expect(found.text).not.toContain('segredo')
  })

  test('are refused all when one of them is none of the sources', async () => {
    const { status, body } = await api.put('coisas', { urls: [URL, 's3://outros/a.parquet'] })
    expect([status, body.code]).toEqual([422, 'source_refused'])
  })

  test('are found by a pattern, sorted, as they are when it is sent', async () => {
    const bucket = await freshBucket()
    api.figura('coisas', figuraText('coisas').replace('s3://arquivos/coisas/', bucket.url('in/')))
    for (const key of ['in/b.parquet', 'in/a.parquet', 'in/c.csv', 'in/deep/d.parquet', 'out/e.parquet'])
      await bucket.put(key, 'x')
    const { status, body } = await api.put('coisas', { url: bucket.url('in/*.parquet') })
    expect(status).toBe(202)
    await bucket.put('in/z.parquet', 'x')
    const [row] = await api.sql`select url, urls from bulk.job where id = ${String(body.id)}`
    const urls = [bucket.url('in/a.parquet'), bucket.url('in/b.parquet')]
    expect(row).toEqual({ url: bucket.url('in/*.parquet'), urls })
    const empty = await api.put('coisas', { url: bucket.url('in/*.avro') })
    expect([empty.status, empty.body.code]).toEqual([422, 'source_empty'])
    const outside = await api.put('coisas', { url: bucket.url('out/*.parquet') })
    expect([outside.status, outside.body.code]).toEqual([422, 'source_refused'])
  })
})

describe('the look at the files', () => {
  test('is given all that it has to know, and what it refuses makes no job', async () => {
    const seen: unknown[] = []
    api.preflight = async ({ figura, ...sent }) => {
      seen.push({ figura: figura.name, ...sent })
      const said = { subject: 'The file', found: 'a page of HTML', expected: 'a parquet file' }
      throw new BulkError('file_not_parquet', said)
    }
    const { status, body } = await api.put('coisas', { url: URL, sha256: 'AB'.repeat(32) })
    expect([status, body.code]).toEqual([422, 'file_not_parquet'])
    const sent = { urls: [URL], sha256: 'ab'.repeat(32), etag: null, mode: 'merge' }
    expect(seen).toEqual([{ figura: 'coisas', ...sent }])
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 0 }])
  })
})
