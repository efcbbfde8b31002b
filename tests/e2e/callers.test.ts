import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'bun:test'
import { freshKey } from '../api/keys.ts'
import { startRig } from '../support/rig.ts'
import { servers } from '../support/servers.ts'

test('keys are asked for unless told: a file goes its whole way by one, and none by none', async () => {
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

test('the exporter shows the key of BULK_KEY, and says what is wrong without one', async () => {
  await using rig = await startRig({ env: { AUTH: 'keys' } })
  rig.writeFigura('coisas', '  id: { type: bigint }')
  const file = join(rig.folder, 'coisas.json')
  writeFileSync(file, '[{"id": 1}, {"id": 2}]')
  const key = await freshKey(rig.sql, { coisas: ['submit', 'read'] })
  const run = async (env: Record<string, string>) => {
    const child = Bun.spawn(
      [
        process.execPath,
        'scripts/exporta.ts',
        file,
        'coisas',
        '--api',
        rig.service.url,
        '--bucket',
        rig.bucket.name,
      ],
      { env: { ...process.env, ...s3(), ...env }, stdout: 'pipe', stderr: 'pipe' },
    )
    const [out, said, code] = await Promise.all([text(child.stdout), text(child.stderr), child.exited])
    return { code, said: out + said }
  }
  expect(await run({})).toMatchObject({
    code: 1,
    said: expect.stringContaining('The key of the caller: found none'),
  })
  expect(await run({ BULK_KEY: key.text })).toMatchObject({ code: 0 })
  expect(await rig.sql`select id from coisas order by id`).toHaveLength(2)
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

function text(stream: ReadableStream): Promise<string> {
  return new Response(stream).text()
}

function s3() {
  const { endpoint, region, accessKeyId, secretAccessKey } = servers.s3
  return {
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    S3_ACCESS_KEY_ID: accessKeyId,
    S3_SECRET_ACCESS_KEY: secretAccessKey,
  }
}
