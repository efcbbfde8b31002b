import { expect, test } from 'bun:test'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { freshDatabase, freshStream } from '../support/servers.ts'
import { startService, until, type Service } from '../support/service.ts'

const BODY = { url: 's3://exportacoes/fornecedores/a.parquet' }

test('an API that is killed between commit and answer: the same request gets the same job', async () => {
  await using database = await freshDatabase()
  await using proxy = await startFaultProxy(database.url)
  const common = { stream: freshStream(), env: { ROLE: 'api', API_CONNECTIONS: '1' } }
  await using first = await startService({ ...common, databaseUrl: proxy.by(database.url) })
  // the statements are prepared by now: what follows of each is one question and one answer
  expect((await send(first, 'before')).status).toBe(202)
  await database.sql`delete from bulk.job`

  // whoever locks the table holds the commit up, until the way back of its answer is cut
  const held = await database.sql.reserve()
  await held`begin`
  await held`lock table bulk.job in share mode`
  const lost = send(first).catch(() => 'no answer')
  await until('the job is about to be inserted', async () => {
    const [row] = await held`
      select count(*)::int as waiting from pg_locks where not granted and relation = 'bulk.job'::regclass`
    return row?.waiting > 0 ? true : undefined
  })
  proxy.mute('from')
  await held`rollback`
  held.release()
  const ids = () => database.sql`select id, ring from bulk.job`
  const id = await until('the job is committed', async () => (await ids())[0]?.id)
  await first.kill()
  expect(await lost).toBe('no answer')

  await using second = await startService({ ...common, databaseUrl: database.url })
  const answer = await send(second)
  expect([answer.status, answer.headers.get('idempotency-replayed')]).toEqual([202, 'true'])
  expect(await answer.json()).toMatchObject({ id, status: 'enfileirado' })
  expect(await ids()).toHaveLength(1)
})

function send(service: Service, key = 'exportacao-1'): Promise<Response> {
  return fetch(`${service.url}/fornecedores/_bulk`, {
    method: 'PUT',
    body: JSON.stringify(BODY),
    headers: { 'idempotency-key': key },
  })
}
