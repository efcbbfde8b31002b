import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FileServer, serveFile } from '../source/file-server.ts'
import { writeParquet } from '../support/parquet.ts'
import {
  freshBucket,
  freshDatabase,
  freshFolder,
  freshStream,
  type FreshBucket,
  type FreshDatabase,
} from '../support/servers.ts'
import { type Service, startService, until } from '../support/service.ts'

/** Sizes of files that are loaded in one transaction, by one COPY, and by way of a stage. */
const DIRECT = 100
const FIRST = 5000
const STAGED = 40_000

/** What a worker may take until it has let go of a cancelled job, in milliseconds. */
const LET_GO_MS = 2000

const folder = freshFolder()
const figuras = join(folder.path, 'figuras')
let bucket: FreshBucket
let database: FreshDatabase
let api: Service
let worker: Service
let source: FileServer
/** What the source keeps back: everything, or all but the footer; else nothing. */
let stall: 'all' | 'rows' | 'nothing' = 'nothing'
/** How many requests of the job at hand have no answer. */
let stalled = 0

beforeAll(async () => {
  mkdirSync(figuras)
  ;[database, bucket] = await Promise.all([freshDatabase(), freshBucket()])
  source = await serveFile(await bytesOf(STAGED), {
    lie: ({ range }, _, honest) => {
      if (stall === 'nothing' || (stall === 'rows' && range.startsWith('bytes=-'))) honest()
      else stalled++
    },
  })
  const common = { databaseUrl: database.url, stream: freshStream(), figurasDir: figuras }
  const env = {
    DIRECT_ROWS: String(DIRECT),
    FIRST_LOAD_ROWS: String(FIRST),
    CHUNK_ROWS: '10000',
    MERGE_PART_ROWS: '10000',
    LEASE_SECONDS: '60',
  }
  ;[api, worker] = await Promise.all([
    startService({ ...common, env: { ...env, ROLE: 'api', NODE_NAME: 'node-a' } }),
    startService({ ...common, env: { ...env, ROLE: 'worker', NODE_NAME: 'node-b' } }),
  ])
})
afterAll(async () => {
  await Promise.all([api, worker].map((service) => service[Symbol.asyncDispose]()))
  await source[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

test('a job that nobody has begun is cancelled, and is never begun', async () => {
  await using idle = await startService({
    databaseUrl: database.url,
    stream: freshStream(),
    figurasDir: figuras,
    env: { ROLE: 'api' },
  })
  writeFigura('parada')
  const accepted = await idle.put('/parada/_bulk', { url: await upload('parada', DIRECT) })
  const { status, body } = await remove(idle, 'parada', String(accepted.body.id))
  expect([status, body.status, body.finished_at !== null]).toEqual([200, 'cancelado', true])
  expect((await remove(idle, 'parada', String(accepted.body.id))).body).toMatchObject({
    status: 409,
    code: 'job_ended',
  })
})

test('one whose source says nothing', async () => {
  stall = 'all'
  writeFigura('plano')
  const job = await send('plano', `${source.origin}/plano/x.parquet`)
  await phase(job, 'plan')
  await letsGo(job)
  stall = 'nothing'
})

test('one whose rows do not come', async () => {
  ;[stall, stalled] = ['rows', 0]
  writeFigura('etapa')
  const job = await send('etapa', `${source.origin}/etapa/x.parquet`)
  // a job is in this phase before the first of its chunks has come to a thread
  await phase(job, 'stage')
  await until('its rows are asked for', async () => stalled > 0 || undefined)
  await letsGo(job)
  stall = 'nothing'
})

test('one that waits for its turn, and the one that it waits for', async () => {
  stall = 'all'
  writeFigura('turno')
  const first = await send('turno', `${source.origin}/turno/x.parquet`)
  await phase(first, 'plan')
  const second = await send('turno', await upload('turno', STAGED))
  await phase(second, 'wait')
  const third = await send('turno', await upload('turno', DIRECT))
  await phase(third, 'wait')
  for (const job of [second, third])
    expect((await api.get(job.statusUrl)).body.waiting).toMatchObject({
      reason: 'order',
      detail: `The job ${first.id} was accepted earlier, and has to end first.`,
      until: null,
    })
  await letsGo(second, false)
  await letsGo(first)
  stall = 'nothing'
  expect(await api.ended(third.statusUrl)).toMatchObject({ status: 'completo', stats: { inserted: DIRECT } })
})

test.each([
  ['direta', DIRECT, ''],
  ['primeira', FIRST, ''],
  ['em_partes', STAGED, ''],
  ['inteira', STAGED, 'load: { version: versao }\n'],
])('one whose statement runs: %s', async (figura, rows, load) => {
  writeFigura(figura, load)
  await makeTable(figura, `perform pg_sleep(0.05); return new`, 'before')
  if (figura !== 'primeira') await database.sql.unsafe(`insert into ${figura} values (-1, 'antes', 1)`)
  const job = await send(figura, await upload(figura, rows))
  await runs('pg_sleep', figura)
  const before = await countOf(figura)
  await letsGo(job)
  expect(await countOf(figura)).toBe(before)
})

test.each([
  ['direta_presa', DIRECT],
  ['primeira_presa', FIRST],
  ['em_etapa_presa', STAGED],
])('one that waits for a lock on its table: %s', async (figura, rows) => {
  writeFigura(figura)
  await makeTable(figura)
  const held = await database.sql.reserve()
  await held`begin`
  await held.unsafe(`lock table ${figura} in access exclusive mode`)
  const job = await send(figura, await upload(figura, rows))
  await until('the job waits for the lock', async () => {
    const [row] = await database.sql`
      select count(*)::int as waiting from pg_locks where not granted and relation = ${figura}::regclass`
    return row?.waiting > 0 ? true : undefined
  })
  await letsGo(job)
  await held`rollback`
  held.release()
  expect(await countOf(figura)).toBe(0)
})

test('one that is being committed cannot be cancelled any more, and completes', async () => {
  writeFigura('confirmada')
  await makeTable('confirmada', 'perform pg_sleep(0.04); return null', 'deferred')
  const job = await send('confirmada', await upload('confirmada', DIRECT))
  await runs('commit', 'confirmada')
  const started = performance.now()
  const { body } = await remove(api, 'confirmada', job.id)
  expect(body).toMatchObject({ status: 409, code: 'job_committing' })
  expect(performance.now() - started).toBeLessThan(LET_GO_MS)
  expect(await api.ended(job.statusUrl)).toMatchObject({ status: 'completo', stats: { inserted: DIRECT } })
})

type Sent = { figura: string; id: string; statusUrl: string }

async function send(figura: string, url: string): Promise<Sent> {
  const { body } = await api.put(`/${figura}/_bulk`, { url })
  return { figura, id: String(body.id), statusUrl: String(body.status_url) }
}

/** Cancels a job, and sees to it that within two seconds nothing is left of it, and a thread can do the next one. */
async function letsGo({ figura, id, statusUrl }: Sent, atWork = true): Promise<void> {
  const started = performance.now()
  const { status, body } = await remove(api, figura, id)
  const answeredMs = Math.round(performance.now() - started)
  expect([status, body.status, body.phase]).toEqual([200, 'cancelado', null])
  await until(
    'nothing of the job is left',
    async () => {
      const [left] = await database.sql`
      select
        (select count(*)::int from pg_stat_activity
          where application_name like 'bulk node-b/%' and state <> 'idle')
          as running,
        (select count(*)::int from pg_class where relname like ${`j_${id.replaceAll('-', '')}%`}) as stages,
        (select count(*)::int from bulk.chunk where job = ${id}) as chunks,
        (select count(*)::int from pg_prepared_xacts where gid like ${`bulk:${id}:%`}) as parts`
      const dropped =
        !atWork ||
        worker.lines.some(
          ({ message, job }) => job === id && String(message).startsWith('a piece of work was dropped'),
        )
      return dropped && Object.values(left ?? {}).every((count) => count === 0) ? true : undefined
    },
    5000,
  )
  const goneMs = Math.round(performance.now() - started)
  console.log(`${figura}: answered after ${answeredMs} ms, gone after ${goneMs} ms`)
  expect(goneMs).toBeLessThan(LET_GO_MS)
  expect((await api.get(statusUrl)).body).toMatchObject({ status: 'cancelado', error: null })
}

async function remove(service: Service, figura: string, id: string) {
  const response = await fetch(`${service.url}/${figura}/_bulk/${id}`, { method: 'DELETE' })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function phase({ statusUrl }: Sent, wanted: string): Promise<void> {
  await until(`the job is in ${wanted}`, async () =>
    (await api.get(statusUrl)).body.phase === wanted ? true : undefined,
  )
}

/** Waits for a statement of the worker that runs, by what it waits for or says. */
async function runs(what: string, figura: string): Promise<void> {
  await until(`${what} runs for ${figura}`, async () => {
    const [row] = await database.sql`
      select count(*)::int as running from pg_stat_activity
      where application_name like 'bulk node-b/%' and state = 'active'
        and (wait_event ilike ${what.replace('_', '')} or query ilike ${what})`
    return row?.running > 0 ? true : undefined
  })
}

async function makeTable(name: string, trigger?: string, when?: 'before' | 'deferred'): Promise<void> {
  const { sql } = database
  await sql.unsafe(`create table ${name} (id bigint primary key, nome text, versao bigint)`)
  if (trigger === undefined) return
  await sql.unsafe(
    `create function ${name}_f() returns trigger language plpgsql as $$ begin ${trigger}; end $$`,
  )
  const head =
    when === 'before'
      ? `create trigger t before insert on ${name}`
      : `create constraint trigger t after insert on ${name} deferrable initially deferred`
  await sql.unsafe(`${head} for each row execute function ${name}_f()`)
}

async function countOf(table: string): Promise<number> {
  const [row] = await database.sql.unsafe(`select count(*)::int as rows from ${table}`)
  return row?.rows
}

function writeFigura(name: string, more = ''): void {
  const columns = 'id: { type: bigint }\n  nome: { type: text }\n  versao: { type: bigint }'
  const sources = `['${bucket.url(`${name}/`)}', '${source.origin}/${name}/']`
  const text = `description: d\ntable: public.${name}\nkey: [id]\ncolumns:\n  ${columns}\n${more}sources: ${sources}\n`
  writeFileSync(join(figuras, `${name}.yaml`), text)
}

async function bytesOf(rows: number): Promise<Uint8Array> {
  const path = join(folder.path, `${rows}.parquet`)
  const select = `select i as id, md5(i::text) as nome, i as versao from range(${rows}) t(i)`
  await writeParquet(path, select, { rowGroupRows: 10_240 })
  return Bun.file(path).bytes()
}

async function upload(figura: string, rows: number): Promise<string> {
  const key = `${figura}/${crypto.randomUUID()}.parquet`
  await bucket.put(key, await bytesOf(rows))
  return bucket.url(key)
}
