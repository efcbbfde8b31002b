import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { insertRejects } from '../../src/db/rejects.ts'
import { type Api, figuraText, startApi } from './api.ts'
import { freshKey } from './keys.ts'

const NO_JOB = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

test('a key that may cancel a job, and not read it, is shown no row of it by the way', async () => {
  await using api = await startApi({ rate: { perSecond: 1e6, burst: 1e6 } })
  api.figura('coisas')
  const sender = await freshKey(api.sql, { coisas: ['submit', 'read', 'cancel'] })
  const stopper = await freshKey(api.sql, { coisas: ['cancel'] })
  const place = { stage: 1, file: 0, chunk: 0 }
  const fault = { column: 'nome', rule: 'required', reason: 'a null' }
  const SENT = '{"url":"s3://arquivos/coisas/a.parquet"}'
  const shown = []
  for (const { headers } of [stopper, sender]) {
    const sent = await api.ask('/coisas/_bulk', { method: 'PUT', body: SENT, headers: sender.headers })
    const id = String(sent.body.id)
    await insertRejects(api.sql, { job: id, ...place }, [
      { row: 1, faults: [fault], record: '{"name": "Ana"}' },
    ])
    await api.sql`update bulk.job set rows_rejected = 1 where id = ${id}`
    const { status, body } = await api.ask(`/coisas/_bulk/${id}`, { method: 'DELETE', headers })
    shown.push([
      status,
      body.status,
      body.rejects && Object(body.rejects).count,
      JSON.stringify(body).includes('Ana'),
    ])
  }
  expect(shown).toEqual([
    [200, 'cancelado', 1, false],
    [200, 'cancelado', 1, true],
  ])
})

describe('DELETE of a job', () => {
  test('cancels it, says so in its log, and tells of it once', async () => {
    const id = await api.send('coisas')
    const { status, body } = await cancel(id)
    expect([status, body.status, body.phase, body.error]).toEqual([200, 'cancelado', null, null])
    expect(api.ended).toEqual([
      expect.objectContaining({ id, figura: 'coisas', status: 'cancelado', stage: null }),
    ])
    const log = await api.ask(`/coisas/_bulk/${id}/log`)
    expect(log.body.lines).toContainEqual(
      expect.objectContaining({ message: 'the job was cancelled', node: 'test' }),
    )
    expect((await cancel(id)).body).toMatchObject({ code: 'job_ended', job_status: 'cancelado' })
    expect(api.ended).toHaveLength(1)
  })

  test.each(['plan', 'stage', 'wait', 'merge'])('cancels one in the phase %s', async (phase) => {
    const id = await api.send('coisas')
    await api.sql`update bulk.job set status = 'processando', phase = ${phase}, stage = 1 where id = ${id}`
    expect((await cancel(id)).body).toMatchObject({ status: 'cancelado', phase: null })
  })

  test.each(['completo', 'erro', 'cancelado'])('leaves one alone that ended as %s', async (status) => {
    const id = await api.send('coisas')
    await api.sql`update bulk.job set status = ${status}, finished_at = now() where id = ${id}`
    expect((await cancel(id)).body).toMatchObject({ status: 409, code: 'job_ended', job_status: status })
    expect(api.ended).toEqual([])
  })

  test('leaves one alone whose merge is decided', async () => {
    const id = await api.send('coisas')
    await api.sql`
      update bulk.job set status = 'processando', phase = 'merge', stage = 1, decision = '{1}' where id = ${id}`
    expect((await cancel(id)).body).toMatchObject({ status: 409, code: 'job_committing' })
    expect((await api.ask(`/coisas/_bulk/status/${id}`)).body.status).toBe('processando')
  })

  test('does not wait for whoever has the row', async () => {
    const id = await api.send('coisas')
    const held = await api.sql.reserve()
    await held`begin`
    await held`select from bulk.job where id = ${id} for update`
    const started = performance.now()
    expect((await cancel(id)).body).toMatchObject({ status: 409, code: 'job_committing' })
    expect(performance.now() - started).toBeLessThan(2000)
    await held`rollback`
    held.release()
    expect((await cancel(id)).status).toBe(200)
  })

  test('lets the next job of the figura have its turn at once', async () => {
    const first = await api.send('coisas')
    const second = await api.send('coisas')
    await api.sql`
      update bulk.job set status = 'processando', phase = 'wait', stage = 1, ring_at = now() + interval '10 minutes'
      where id = ${second}`
    await cancel(first)
    const [row] =
      await api.sql`select ring_at <= now() + interval '11 seconds' as soon from bulk.job where id = ${second}`
    expect(row?.soon).toBe(true)
  })

  test('of a job that there is not, or of another figura, is 404', async () => {
    const id = await api.send('coisas')
    api.figura('outras')
    expect((await cancel(NO_JOB)).body).toMatchObject({ status: 404, code: 'job_unknown' })
    expect((await cancel(id, 'outras')).body).toMatchObject({ status: 404, code: 'job_unknown' })
    expect((await cancel(id, 'nenhuma')).body).toMatchObject({ status: 404, code: 'figura_unknown' })
    expect(api.ended).toEqual([])
  })
})

describe('retry of a job', () => {
  test('makes a new one of the same file, asked for in the same way', async () => {
    const sha256 = 'a'.repeat(64)
    const old = await api.put('coisas', { url: URL, sha256, etag: '"1"', mode: 'merge', dry_run: 'rows' })
    await end(String(old.body.id), 'erro')
    api.told.length = 0
    const { status, body, headers } = await retry(String(old.body.id))
    expect([status, headers.get('location')]).toEqual([202, String(body.status_url)])
    expect(body.id).not.toBe(old.body.id)
    expect(api.told).toMatchObject([{ id: body.id, figura: 'coisas' }])
    const [row] =
      await api.sql`select url, sha256, etag, mode, dry_run, retry_of from bulk.job where id = ${String(body.id)}`
    expect({ ...row }).toEqual({
      url: URL,
      sha256,
      etag: null,
      mode: 'merge',
      dryRun: 'rows',
      retryOf: old.body.id,
    })
    expect((await api.ask(String(body.status_url))).body.retry_of).toBe(old.body.id)
  })

  test('takes the file from another address, and its digest is that of the other file', async () => {
    const old = await api.put('coisas', { url: URL, sha256: 'a'.repeat(64) })
    await end(String(old.body.id), 'cancelado')
    const other = 's3://arquivos/coisas/b.parquet'
    const { body } = await retry(String(old.body.id), { url: other })
    const [row] = await api.sql`select url, sha256 from bulk.job where id = ${String(body.id)}`
    expect({ ...row }).toEqual({ url: other, sha256: null })
    const outside = await retry(String(old.body.id), { url: 's3://elsewhere/b.parquet' })
    expect(outside.body).toMatchObject({ status: 422, code: 'source_refused' })
  })

  test('of several files takes all of them', async () => {
    const urls = [URL, 's3://arquivos/coisas/b.parquet']
    const old = await api.put('coisas', { urls })
    await end(String(old.body.id), 'erro')
    const { body } = await retry(String(old.body.id))
    const [row] = await api.sql`select urls from bulk.job where id = ${String(body.id)}`
    expect(row?.urls).toEqual(urls)
  })

  test('of several files takes no digest, as a PUT takes none', async () => {
    const old = await api.put('coisas', { urls: [URL, 's3://arquivos/coisas/b.parquet'] })
    await end(String(old.body.id), 'erro')
    const { body } = await retry(String(old.body.id), { sha256: 'a'.repeat(64) })
    expect(body).toMatchObject({ status: 422, code: 'body_invalid', errors: [{ field: 'sha256' }] })
    expect(await api.sql`select from bulk.job where retry_of is not null`).toHaveLength(0)
  })

  test('in a mode that the figura no longer allows is refused, and says what to do', async () => {
    const old = await api.send('coisas')
    await end(old, 'erro')
    api.figura('coisas', `${figuraText('coisas')}load: { mode: append, allow: [insert] }\n`)
    const { body } = await retry(old)
    expect(body).toMatchObject({ status: 422, code: 'mode_refused', allow: ['append', 'insert'] })
    expect(body.detail).toContain(
      'found the mode merge, expected append or insert. Send the file anew by PUT',
    )
    expect((await api.put('coisas', { url: URL, mode: 'merge' })).body.detail).toContain(
      'Send a mode that `allow` lists, or leave it out.',
    )
  })

  test('needs the address of a presigned file anew', async () => {
    const old = await api.send('coisas', 'https://example.com/a.parquet?X-Amz-Signature=canary')
    await end(old, 'erro')
    const { body, text } = await retry(old)
    expect(body).toMatchObject({ status: 422, code: 'body_invalid', errors: [{ field: 'url' }] })
    expect(text).not.toContain('canary')
  })

  test.each([
    ['enfileirado', 'job_not_ended'],
    ['processando', 'job_not_ended'],
    ['completo', 'job_completed'],
  ])('of one that is %s is refused', async (status, code) => {
    const id = await api.send('coisas')
    const phase = status === 'processando' ? 'plan' : null
    await api.sql`update bulk.job set status = ${status}, phase = ${phase} where id = ${id}`
    expect((await retry(id)).body).toMatchObject({ status: 409, code })
  })

  test('refuses what is no body for it', async () => {
    const id = await api.send('coisas')
    await end(id, 'erro')
    expect((await retry(id, { mode: 'merge' })).body).toMatchObject({ status: 422, code: 'body_invalid' })
    expect((await retry(id, [])).body).toMatchObject({ status: 422, code: 'body_invalid' })
    expect((await retry(NO_JOB)).body).toMatchObject({ status: 404, code: 'job_unknown' })
  })
})

describe('a figura that is paused', () => {
  test('says so, and its jobs say that they wait for that', async () => {
    expect((await api.ask('/figuras/coisas')).body.paused).toBe(null)
    const { status, body } = await api.ask('/coisas/_bulk/pause', { method: 'POST' })
    expect([status, body]).toEqual([
      200,
      { figura: 'coisas', paused: { at: expect.any(String), by: 'anonymous' } },
    ])
    expect((await api.ask('/figuras/coisas')).body.paused).toEqual(body.paused)
    const id = await api.send('coisas')
    const job = await api.ask(`/coisas/_bulk/status/${id}`)
    expect(job.body).toMatchObject({ status: 'enfileirado', waiting: { reason: 'paused', until: null } })
  })

  test('stays paused since the first time, and goes on when it is resumed', async () => {
    const first = await api.ask('/coisas/_bulk/pause', { method: 'POST' })
    const second = await api.ask('/coisas/_bulk/pause', { method: 'POST' })
    expect(second.body).toEqual(first.body)
    const { body } = await api.ask('/coisas/_bulk/resume', { method: 'POST' })
    expect(body).toEqual({ figura: 'coisas', paused: null })
    expect(api.resumed).toEqual(['coisas'])
  })

  test('is resumed though its file is gone, or its jobs would wait for good', async () => {
    api.figura('idas', figuraText('idas'))
    const id = await api.send('idas')
    await api.ask('/idas/_bulk/pause', { method: 'POST' })
    api.figura('idas', null)
    expect((await api.ask(`/idas/_bulk/status/${id}`)).body.waiting).toMatchObject({ reason: 'paused' })
    const { status, body } = await api.ask('/idas/_bulk/resume', { method: 'POST' })
    expect([status, body]).toEqual([200, { figura: 'idas', paused: null }])
    expect(api.resumed).toEqual(['idas'])
    const again = await api.ask('/idas/_bulk/resume', { method: 'POST' })
    expect(again.body.code).toBe('figura_unknown')
  })

  test('has to be one', async () => {
    const { body } = await api.ask('/nenhuma/_bulk/pause', { method: 'POST' })
    expect(body).toMatchObject({ status: 404, code: 'figura_unknown' })
  })
})

const URL = 's3://arquivos/coisas/a.parquet'

async function end(id: string, status: string): Promise<void> {
  await api.sql`update bulk.job set status = ${status}, finished_at = now() where id = ${id}`
}

function retry(id: string, body?: unknown) {
  return api.ask(`/coisas/_bulk/${id}/retry`, {
    method: 'POST',
    body: body === undefined ? null : JSON.stringify(body),
  })
}

function cancel(id: string, figura = 'coisas') {
  return api.ask(`/${figura}/_bulk/${id}`, { method: 'DELETE' })
}
