import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type Api, startApi } from './api.ts'

const NO_JOB = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

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

function cancel(id: string, figura = 'coisas') {
  return api.ask(`/${figura}/_bulk/${id}`, { method: 'DELETE' })
}
