import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { avroFile, avroRows } from '../support/avro.ts'
import { writeParquet } from '../support/parquet.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { servers } from '../support/servers.ts'

/** Stands in the address of every file of this test. */
const CANARY = `canario${crypto.randomUUID().replaceAll('-', '')}`
const QUERY = `?X-Amz-Credential=a&X-Amz-Signature=${CANARY}`

const SCHEMA = { type: 'record', name: 'r', fields: [{ name: 'id', type: 'long' }] }
/** Files by their paths, and what becomes of a job of each. */
const FILES: [path: string, content: (folder: string) => Promise<string | Uint8Array>, code: string][] = [
  ['differs.parquet', parquetOf(`select 'x' as id, 1 as nome from range(3)`), 'schema_differs'],
  ['repeated.parquet', parquetOf(`select 1 as id, 'n' as nome from range(3)`), 'key_repeated'],
  [
    'refused.parquet',
    parquetOf(`select i as id, 'n' || chr(0) as nome from range(3) t(i)`),
    'too_many_rejected',
  ],
  ['many.parquet', parquetOf(`select i as id, 'ruim' as nome from range(9) t(i)`), 'too_many_rejected'],
  ['garbage.parquet', async () => `PAR1${'\u0001'.repeat(80)}\u0040\0\0\0PAR1`, 'file_corrupt'],
  ['half.avro', async () => avroFile(SCHEMA, avroRows(SCHEMA, [{ id: 1 }])).subarray(0, 90), 'file_corrupt'],
  ['broken.csv', async () => 'id,nome\n1,"n\n', 'file_corrupt'],
  ['broken.ndjson', async () => '{"id":1,\n', 'file_corrupt'],
  ['page.html', async () => '<html>', 'file_not_known'],
  ['empty', async () => '', 'file_not_known'],
]
const ANSWERS: [path: string, status: number, code: string][] = [
  ['denied', 403, 'source_denied'],
  ['missing', 404, 'source_missing'],
  ['moved', 302, 'source_refused'],
  ['down', 503, 'attempts_exhausted'],
  ['reset', 0, 'attempts_exhausted'],
]
const GOOD = parquetOf(`select i as id, 'n' as nome from range(5) t(i)`)
const SOME = parquetOf(
  `select i as id, case when i = 7 then 'ruim' else 'n' end as nome from range(5, 9) t(i)`,
)

describe.each(['0', '2000'])('a signed address is a secret (PREFLIGHT_MS=%s)', (PREFLIGHT_MS) => {
  let rig: Rig
  let nats: NatsConnection
  let web: Awaited<ReturnType<typeof serve>>
  /** All that is told to anybody. */
  const told: string[] = []
  const subjects: string[] = []

  beforeAll(async () => {
    rig = await startRig({
      env: { PREFLIGHT_MS, ATTEMPTS: '1', SOURCE_PATIENCE_SECONDS: '0', SWEEP_SECONDS: '1' },
    })
    web = await serve(rig.folder)
    nats = await connect({ servers: servers.natsUrl })
    nats.subscribe('>', {
      callback: (_, message) => {
        subjects.push(message.subject)
        told.push(message.subject, message.string())
      },
    })
    if (PREFLIGHT_MS !== '0') await rig.service.said('files are looked at before they are accepted')
  })
  afterAll(async () => {
    await nats.close()
    await web[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  /** Sends files, asks all that can be asked of the job, and gives its code, if it failed. */
  async function send(body: object): Promise<unknown> {
    const name = figura(rig, [`${web.origin}/`, `${web.closed}/`])
    const { service } = rig
    const answer = await service.put(`/${name}/_bulk`, body)
    told.push(JSON.stringify([answer.body, [...answer.headers]]))
    if (answer.status !== 202) return answer.body.code
    const job = await service.ended(String(answer.body.status_url))
    const place = `/${name}/_bulk/${answer.body.id}`
    for (const path of [`${place}/log`, `${place}/rejects`, `/${name}/_bulk`, `/figuras/${name}`])
      told.push(JSON.stringify((await service.get(path)).body))
    for (const format of ['csv', 'ndjson'])
      told.push(await (await fetch(`${service.url}${place}/rejects?format=${format}`)).text())
    told.push(JSON.stringify(job))
    return job.error ? Object(job.error).code : job.status
  }

  test('when the file is at fault, or the server', async () => {
    const seen: unknown[] = []
    for (const [path] of [...FILES, ...ANSWERS]) seen.push([path, await send({ url: web.url(path) })])
    const expected = [...FILES, ...ANSWERS].map(([path, , code]) => [path, code])
    expect(seen).toEqual(expected)
    expect(await send({ url: `${web.closed}/a.parquet${QUERY}` })).toBe('attempts_exhausted')
    expect(await send({ url: web.url('good.parquet'), sha256: '0'.repeat(64) })).toBe('sha256_differs')
  }, 60_000)

  test('when rows are left out, files are several, or it is a trial', async () => {
    const urls = ['good.parquet', 'some.parquet'].map(web.url)
    expect(await send({ urls })).toBe('completo')
    expect(await send({ urls: [...urls, web.url('missing')] })).toBe('source_missing')
    expect(await send({ urls: [...urls, urls[0]] })).toBe('body_invalid')
    expect(await send({ url: `${web.url('good.parquet')}&#x` })).toBe('source_refused')
    for (const dryRun of ['schema', 'rows', 'impact'])
      expect(await send({ urls, dry_run: dryRun })).toBe('completo')
  }, 60_000)

  test('and is in no answer, no line of the log, no message, and no table but where the files are', async () => {
    const { sql, service } = rig
    for (const table of ['job', 'job_log', 'reject', 'chunk']) {
      const rows = await sql`select to_jsonb(t) - 'url' - 'urls' as row from ${sql(`bulk.${table}`)} t`
      told.push(JSON.stringify(rows))
    }
    told.push(JSON.stringify(service.lines))
    expect(subjects.filter((subject) => /event.secreta_.*completo/i.test(subject))).not.toEqual([])
    expect(told.join('\n').length).toBeGreaterThan(20_000)
    for (const text of told) expect(text).not.toContain(CANARY)
  })
})

/** A figura of its own; gives its name. */
function figura(rig: Rig, sources: string[]): string {
  const name = `secreta_${crypto.randomUUID().slice(0, 8)}`
  const columns = `  id: { type: bigint }\n  nome: { type: varchar(5), pattern: '^n' }\n`
  const head = `description: ${name}\ntable: public.${name}\nkey: [id]\ncolumns:\n${columns}`
  const tail = `rejects: { max_rows: 2 }\nsources: ${JSON.stringify(sources)}\n`
  writeFileSync(join(rig.figuras, `${name}.yaml`), head + tail)
  return name
}

function parquetOf(select: string) {
  return async (folder: string) => {
    const path = join(folder, `${crypto.randomUUID()}.parquet`)
    await writeParquet(path, select)
    return Bun.file(path).bytes()
  }
}

/** A web server with the files, whose errors tell the address that was asked for, as those of a bucket do. */
async function serve(folder: string) {
  const files = new Map<string, Buffer>()
  for (const [path, content] of [['good.parquet', GOOD] as const, ['some.parquet', SOME] as const, ...FILES])
    files.set(`/${path}`, Buffer.from(await content(folder)))
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://x')
    const content = files.get(pathname)
    if (content) return void response.writeHead(200, { 'content-length': content.length }).end(content)
    const status = ANSWERS.find(([path]) => `/${path}` === pathname)?.[1] ?? 404
    if (status === 0) return void request.socket.destroy()
    const location = status === 302 ? { location: `/elsewhere${QUERY}` } : {}
    response.writeHead(status, location).end(`<Error><Resource>${request.url}</Resource></Error>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const gone = createServer()
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
  const closed = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`
  await new Promise((resolve) => gone.close(resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    /** An address at which nobody listens. */
    closed,
    url: (path: string) => `${origin}/${path}${QUERY}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
