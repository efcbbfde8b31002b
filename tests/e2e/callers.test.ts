import { expect, test } from 'bun:test'
import { freshKey } from '../api/keys.ts'
import { startRig } from '../support/rig.ts'

test('the service asks for keys unless it is told otherwise: a file goes its whole way by one, and none by none', async () => {
  await using rig = await startRig({ env: { AUTH: '' } })
  const { service } = rig
  rig.writeFigura('coisas', '  id: { type: bigint }')
  const { url } = await rig.putFile('a', 'select 1::bigint as id')
  expect((await service.put('/coisas/_bulk', { url })).status).toBe(401)
  expect((await service.get('/figuras')).status).toBe(401)
  const key = await freshKey(rig.sql, { coisas: ['submit', 'read'] })
  service.headers = key.headers
  expect(await service.load('coisas', url)).toMatchObject({ status: 'completo', stats: { inserted: 1 } })
  expect(await rig.sql`select caller from bulk.job`).toMatchObject([{ caller: key.id }])
  const { body } = await service.get('/figuras/coisas')
  expect(Object(body.example).curl).toContain('-H "Authorization: Bearer $BULK_KEY"')
  expect(JSON.stringify(service.lines)).not.toContain(key.text.slice(-43))
  expect(service.lines.filter(({ level }) => level !== 'info')).toEqual([])
})

test('without keys the log warns of it at the start', async () => {
  await using rig = await startRig({ env: { ROLE: 'api' } })
  const { level, message } = await rig.service.said(
    'AUTH=off: no key is asked for, and whoever reaches the port may do everything',
  )
  expect([level, message !== undefined]).toEqual(['warn', true])
})

test('a list of presigned addresses needs a larger body than is taken unless told', async () => {
  const urls = Array.from(
    { length: 1000 },
    (_, at) => `https://example.com/${at}.parquet?X-Amz-Signature=${'a'.repeat(2000)}`,
  )
  for (const [limit, status] of [
    ['', 413],
    ['4096', 202],
  ] as const) {
    await using rig = await startRig({ env: { ROLE: 'api', BODY_MAX_KB: limit } })
    rig.writeFigura('coisas', '  id: { type: bigint }', 'https://example.com/')
    const answer = await rig.service.put('/coisas/_bulk', { urls })
    expect([limit, answer.status]).toEqual([limit, status])
    if (status === 413)
      expect(answer.body.detail).toContain('of many files a prefix with a *, or have BODY_MAX_KB raised')
  }
})
