import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FileServer, serveFile } from '../source/file-server.ts'
import { writeParquet } from '../support/parquet.ts'
import { freshDatabase, freshFolder, freshStream, type FreshDatabase, servers } from '../support/servers.ts'
import { type Service, startService, until } from '../support/service.ts'

const CANARY = 'canary9876543210'
const folder = freshFolder()
const figuras = join(folder.path, 'figuras')
const stream = freshStream()
let database: FreshDatabase
let service: Service
let source: FileServer
/** What the source answers in place of the file; 0: the file. */
let failing = 0

beforeAll(async () => {
  mkdirSync(figuras)
  database = await freshDatabase()
  const path = join(folder.path, 'a.parquet')
  await writeParquet(path, `select i as id, 'x' as nome from range(100) t(i)`)
  source = await serveFile(await Bun.file(path).bytes(), {
    lie: (_, response, honest) => {
      if (failing === 0) return honest()
      response.statusCode = failing
      response.end()
    },
  })
  service = await startService({
    databaseUrl: database.url,
    stream,
    figurasDir: figuras,
    env: { ATTEMPTS: '2', SOURCE_PATIENCE_SECONDS: '6', LEASE_SECONDS: '60' },
  })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await source[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

test('jobs of a paused figura are accepted and not begun; resumed, they are done in their order', async () => {
  writeFigura('parada')
  writeFigura('outra')
  await post('/parada/_bulk/pause')
  const jobs = await Promise.all([send('parada'), send('parada')])
  expect((await service.load('outra', address('outra'))).status).toBe('completo')
  await Bun.sleep(2500)
  for (const { statusUrl } of jobs) {
    const { body } = await service.get(statusUrl)
    expect([body.status, body.attempts, Object(body.waiting).reason]).toEqual(['enfileirado', 0, 'paused'])
  }
  const started = performance.now()
  await post('/parada/_bulk/resume')
  for (const { statusUrl } of jobs) expect((await service.ended(statusUrl)).status).toBe('completo')
  expect(performance.now() - started).toBeLessThan(5000)
})

test('an outage of the source costs no attempt, and the status tells of it', async () => {
  writeFigura('fonte')
  failing = 503
  const job = await send('fonte')
  const waiting = await until('the job waits for its source', async () => {
    const { body } = await service.get(job.statusUrl)
    return body.waiting ?? undefined
  })
  expect(waiting).toMatchObject({ reason: 'source', detail: expect.stringContaining('503') })
  await until('it is tried again', async () =>
    (await logOf(job)).filter((line) => line.message.startsWith('the source fails')).length > 1
      ? true
      : undefined,
  )
  failing = 0
  expect(await service.ended(job.statusUrl)).toMatchObject({ status: 'completo', attempts: 1, waiting: null })
})

test('a source that goes on failing is given up, and a message without its secret tells of it', async () => {
  writeFigura('perdida')
  failing = 503
  const job = await send('perdida', `${address('perdida')}?X-Amz-Signature=${CANARY}`)
  const started = performance.now()
  const ended = await service.ended(job.statusUrl)
  failing = 0
  expect(ended).toMatchObject({
    status: 'erro',
    error: { code: 'attempts_exhausted', last_code: 'source_unreachable' },
  })
  const seconds = (performance.now() - started) / 1000
  expect(seconds).toBeGreaterThan(2)
  expect(seconds).toBeLessThan(30)
  const { letter, text } = await deadLetter('perdida', job.id)
  expect(letter).toMatchObject({
    job: job.id,
    figura: 'perdida',
    url: address('perdida'),
    problem: { code: 'attempts_exhausted', detail: expect.stringContaining('503') },
    retry_url: `/perdida/_bulk/${job.id}/retry`,
  })
  expect(text).not.toContain(CANARY)
})

test('a job for which there is no room waits, and costs no attempt', async () => {
  writeFigura('cheia')
  await database.sql.unsafe(`
    create table cheia (id bigint primary key, nome text);
    create function cheia_f() returns trigger language plpgsql as $$ begin
      raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
    create trigger t before insert on cheia execute function cheia_f()`)
  const job = await send('cheia')
  const waiting = await until('the job waits for room', async () => {
    const { body } = await service.get(job.statusUrl)
    return body.waiting ?? undefined
  })
  expect(waiting).toMatchObject({ reason: 'capacity', detail: expect.stringContaining('No space left') })
  await until('it is tried more often than there are attempts', async () =>
    (await logOf(job)).filter((line) => line.message.startsWith('there is no room')).length > 2
      ? true
      : undefined,
  )
  await database.sql`drop trigger t on cheia`
  expect(await service.ended(job.statusUrl)).toMatchObject({ status: 'completo', stats: { inserted: 100 } })
}, 60_000)

test('a job whose time is over ends, its table is untouched, and the next one has its turn', async () => {
  writeFigura('lenta', 'limits: { max_duration: 2s }\n')
  await database.sql`create table lenta (id bigint primary key, nome text)`
  const held = await database.sql.reserve()
  await held`begin`
  await held`lock table lenta in access exclusive mode`
  const job = await send('lenta')
  const started = performance.now()
  const ended = await service.ended(job.statusUrl)
  expect(performance.now() - started).toBeLessThan(5000)
  expect(ended).toMatchObject({ status: 'erro', error: { code: 'deadline_exceeded', max_seconds: 2 } })
  await service.said('a piece of work was dropped: its job ended, or somebody else has it')
  await held`rollback`
  held.release()
  const [table] = await database.sql`select count(*)::int as rows from lenta`
  expect(table?.rows).toBe(0)
  expect((await service.load('lenta', address('lenta'))).status).toBe('completo')
  expect((await deadLetter('lenta', job.id)).letter).toMatchObject({ problem: { code: 'deadline_exceeded' } })
})

test('what ends in an error of its data is no dead letter', async () => {
  writeFigura('errada', '', 'bigint')
  expect((await service.load('errada', address('errada'))).status).toBe('erro')
  const [row] = await database.sql`select count(*)::int as due from bulk.job where dead_letter = 'due'`
  expect(row?.due).toBe(0)
  const [job] = await database.sql`select dead_letter from bulk.job where figura = 'errada'`
  expect(job?.dead_letter).toBe(null)
})

test('a letter that could not be sent is sent later, once', async () => {
  writeFigura('tarde')
  const { id } = await service.load('tarde', address('tarde'))
  const problem = { code: 'attempts_exhausted', detail: 'd' }
  await database.sql`
    update bulk.job set status = 'erro', dead_letter = 'due', error = ${database.sql.json(problem)}
    where id = ${String(id)}`
  expect((await deadLetter('tarde', String(id))).letter).toMatchObject({ problem })
  await until('the row knows', async () => {
    const [row] = await database.sql`select dead_letter from bulk.job where id = ${String(id)}`
    return row?.dead_letter === 'sent' ? true : undefined
  })
})

type Sent = { figura: string; id: string; statusUrl: string }

async function send(figura: string, url = address(figura)): Promise<Sent> {
  const { body } = await service.put(`/${figura}/_bulk`, { url })
  return { figura, id: String(body.id), statusUrl: String(body.status_url) }
}

async function post(path: string): Promise<void> {
  const { status } = await fetch(`${service.url}${path}`, { method: 'POST' })
  expect(status).toBe(200)
}

async function logOf({ figura, id }: Sent): Promise<{ message: string }[]> {
  return (await service.get(`/${figura}/_bulk/${id}/log`)).body.lines as { message: string }[]
}

/** The message about a job on the stream of dead letters, as anybody can read it there. */
async function deadLetter(
  figura: string,
  job: string,
): Promise<{ letter: Record<string, unknown>; text: string }> {
  const nc = await connect({ servers: new URL(servers.natsUrl).host })
  try {
    const jsm = await jetstreamManager(nc)
    const message = await until('the job is on the stream of dead letters', async () =>
      jsm.streams
        .getMessage(`${stream}_DEAD`, { last_by_subj: `${stream.toLowerCase()}.dead.${figura}.${job}` })
        .catch(() => undefined)
        .then((found) => found ?? undefined),
    )
    return { letter: message.json(), text: message.string() }
  } finally {
    await nc.close()
  }
}

function address(figura: string): string {
  return `${source.origin}/${figura}/a.parquet`
}

function writeFigura(name: string, more = '', type = 'text'): void {
  const columns = `id: { type: bigint }\n  nome: { type: ${type} }`
  const head = `description: d\ntable: public.${name}\nkey: [id]\n`
  const text = `${head}columns:\n  ${columns}\n${more}sources: ['${source.origin}/${name}/']\n`
  writeFileSync(join(figuras, `${name}.yaml`), text)
}
