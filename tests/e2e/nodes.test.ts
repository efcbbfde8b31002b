import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startNats } from '../../scripts/nats.ts'
import { writeParquet } from '../support/parquet.ts'
import {
  freshBucket,
  freshDatabase,
  freshFolder,
  freshStream,
  type FreshBucket,
  type FreshDatabase,
} from '../support/servers.ts'
import { startService, until } from '../support/service.ts'

const folder = freshFolder()
const figuras = join(folder.path, 'figuras')
let bucket: FreshBucket
let database: FreshDatabase

beforeAll(async () => {
  mkdirSync(figuras)
  ;[database, bucket] = await Promise.all([freshDatabase(), freshBucket()])
})
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

test('chunks of one job are done by two nodes', async () => {
  const url = await file('dois', 400_000, 20_480)
  const stream = freshStream()
  const common = {
    databaseUrl: database.url,
    stream,
    figurasDir: figuras,
    env: { CHUNK_ROWS: '20480', FIRST_LOAD_ROWS: '0', WORKER_THREADS: '1' },
  }
  await using api = await startService({ ...common, env: { ...common.env, ROLE: 'api' } })
  await using first = await startService({
    ...common,
    env: { ...common.env, ROLE: 'worker', NODE_NAME: 'node-a' },
  })
  await using second = await startService({
    ...common,
    env: { ...common.env, ROLE: 'worker', NODE_NAME: 'node-b' },
  })
  expect((await first.get('/livez')).status).toBe(200)
  expect((await second.get('/figuras')).status).toBe(404)

  const job = await api.load('dois', url)
  expect(job).toMatchObject({ status: 'completo', stats: { read: 400_000, inserted: 400_000 } })
  const log = await api.get(`/dois/_bulk/${job.id}/log`)
  const lines = log.body.lines as { node: string; message: string }[]
  const nodes = lines.filter((line) => /^chunk \d+ is staged$/.test(line.message)).map((line) => line.node)
  expect(nodes.length).toBe(20)
  expect(new Set(nodes)).toEqual(new Set(['node-a', 'node-b']))
})

test('with NATS down a job is accepted, and it completes when NATS is back', async () => {
  const url = await file('sem_nats', 1000)
  let nats = await startNats({ dir: join(folder.path, 'nats') })
  await using service = await startService({
    databaseUrl: database.url,
    natsUrl: nats.url,
    stream: freshStream(),
    figurasDir: figuras,
  })
  await service.said('connected to NATS')
  await nats.kill()
  await service.said('lost NATS; jobs are still accepted, and are rung for when it is back')

  const accepted = await service.put('/sem_nats/_bulk', { url })
  expect(accepted.status).toBe(202)
  expect((await service.get('/readyz')).status).toBe(200)
  const queued = await service.get(String(accepted.body.status_url))
  expect(queued.body.status).toBe('enfileirado')

  nats = await startNats({ dir: join(folder.path, 'nats'), port: nats.port })
  expect(await service.ended(String(accepted.body.status_url))).toMatchObject({
    status: 'completo',
    stats: { inserted: 1000 },
  })
  await service.stop()
  await nats.stop()
})

test('a service that starts before NATS accepts jobs, and does them when NATS has come up', async () => {
  const url = await file('antes', 1000)
  const probe = await startNats({ dir: join(folder.path, 'late') })
  await probe.stop()
  await using service = await startService({
    databaseUrl: database.url,
    natsUrl: probe.url,
    stream: freshStream(),
    figurasDir: figuras,
  })
  const accepted = await service.put('/antes/_bulk', { url })
  expect(accepted.status).toBe(202)
  const nats = await startNats({ dir: join(folder.path, 'late'), port: probe.port })
  expect(await service.ended(String(accepted.body.status_url))).toMatchObject({ status: 'completo' })
  await service.stop()
  await nats.stop()
})

test('a worker process that is killed is started again, and its job is done by the next one', async () => {
  const url = await file('morto', 300_000, 20_480)
  await using service = await startService({
    databaseUrl: database.url,
    stream: freshStream(),
    figurasDir: figuras,
    env: { CHUNK_ROWS: '20480', FIRST_LOAD_ROWS: '0', LEASE_SECONDS: '2' },
  })
  const accepted = await service.put('/morto/_bulk', { url })
  const statusUrl = String(accepted.body.status_url)
  await until('a chunk is staged', async () => {
    const { body } = await service.get(statusUrl)
    return (body.progress as { chunks: { done: number } }).chunks.done > 0 ? true : undefined
  })
  const worker = service.lines.find((line) => line.message === 'worker threads are ready')
  process.kill(Number(worker?.pid), 'SIGKILL')
  await service.said('the worker process ended; it is started again')
  expect((await service.get('/livez')).status).toBe(200)
  const job = await service.ended(statusUrl)
  expect(job).toMatchObject({ status: 'completo', stats: { read: 300_000, inserted: 300_000 } })
  const [table] = await database.sql`select count(*)::int as rows from morto`
  expect(table?.rows).toBe(300_000)
})

test('a stop lets what is running finish, and leaves no process and no file behind', async () => {
  const url = await file('parado', 200_000, 20_480)
  const service = await startService({
    databaseUrl: database.url,
    stream: freshStream(),
    figurasDir: figuras,
  })
  const accepted = await service.put('/parado/_bulk', { url })
  const pids = service.lines
    .filter((line) => line.message === 'worker threads are ready')
    .map((line) => Number(line.pid))
  await service.stop()
  expect(service.lines.some((line) => line.message === 'draining')).toBe(true)
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
  const [job] =
    await database.sql`select status, attempts from bulk.job where id = ${String(accepted.body.id)}`
  expect(['enfileirado', 'processando', 'completo']).toContain(String(job?.status))
  await service[Symbol.asyncDispose]()
})

test('a stop that overruns its drain interrupts what runs, gives its lease back, and kills nothing', async () => {
  const url = await file('longo', 1000)
  const service = await startService({
    databaseUrl: database.url,
    stream: freshStream(),
    figurasDir: figuras,
    env: { DRAIN_SECONDS: '1', LEASE_SECONDS: '300' },
  })
  // whoever locks the table keeps a job from its end for as long as this test likes
  await service.load('longo', await file('longo_antes', 10, undefined, 'longo'))
  const held = await database.sql.reserve()
  await held`begin`
  await held`lock table longo in access exclusive mode`
  const accepted = await service.put('/longo/_bulk', { url })
  await until('the job waits for the lock', async () => {
    const [row] = await database.sql`
      select count(*)::int as waiting from pg_locks where not granted and relation = 'longo'::regclass`
    return row?.waiting > 0 ? true : undefined
  })
  await service.stop()
  await held`rollback`
  held.release()
  const said = service.lines.map((line) => line.message)
  expect(said).toContain('the time to drain is over; what runs is interrupted and put back')
  expect(said).toContain('a task is put back')
  expect(said.filter((message) => message === 'stopped')).toHaveLength(2)
  expect(said).not.toContain('the worker process did not stop in time; it is killed')
  const [job] = await database.sql`
    select lease_until <= now() as free, attempts from bulk.job where id = ${String(accepted.body.id)}`
  expect(job).toEqual({ free: true, attempts: 0 })
  await service[Symbol.asyncDispose]()
})

test('a file of some kilobytes that unpacks to 3 GB ends its job at the bound, in bounded memory', async () => {
  writeFigura('bomba')
  const path = join(folder.path, 'bomba.parquet')
  await writeParquet(path, `select i as id, repeat('x', 1000000) as nome from range(3000) t(i)`)
  expect(Bun.file(path).size).toBeLessThan(1_000_000)
  await bucket.put('bomba.parquet', { file: path })
  await using service = await startService({
    databaseUrl: database.url,
    stream: freshStream(),
    figurasDir: figuras,
    env: { CHUNK_EXPANDED_MAX_MB: '100' },
  })
  const job = await service.load('bomba', bucket.url('bomba.parquet'))
  expect(job).toMatchObject({ status: 'erro', error: { code: 'file_too_large' } })
  const worker = service.lines.find((line) => line.message === 'worker threads are ready')
  const peak = /VmHWM:\s+(\d+) kB/.exec(await Bun.file(`/proc/${worker?.pid}/status`).text())
  console.log(`peak memory of the worker: ${Math.round(Number(peak?.[1]) / 1024)} MB`)
  expect(Number(peak?.[1]) / 1024).toBeLessThan(1500)
  expect(await service.load('antes', await file('antes', 1000))).toMatchObject({ status: 'completo' })
}, 120_000)

test('a wrong environment stops the start with every wrong variable named', async () => {
  const child = Bun.spawn([process.execPath, 'src/main.ts'], {
    cwd: join(import.meta.dir, '../..'),
    env: { PATH: process.env.PATH, NATS_URL: 'http://x', WORKER_THREADS: 'many', ROLE: 'boss' },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const said = await new Response(child.stdout).text()
  expect(await child.exited).toBe(1)
  for (const name of ['DATABASE_URL', 'NATS_URL', 'WORKER_THREADS', 'ROLE'])
    expect(said).toContain(`${name}: found`)
})

async function file(name: string, rows: number, rowGroupRows?: number, figura = name): Promise<string> {
  writeFigura(figura)
  const path = join(folder.path, `${name}.parquet`)
  await writeParquet(path, `select i as id, 'nome ' || i as nome from range(${rows}) t(i)`, { rowGroupRows })
  await bucket.put(`${name}.parquet`, { file: path })
  return bucket.url(`${name}.parquet`)
}

function writeFigura(name: string): void {
  const columns = 'columns:\n  id: { type: bigint }\n  nome: { type: text }\n'
  const text = `description: ${name}\ntable: public.${name}\nkey: [id]\n${columns}`
  writeFileSync(join(figuras, `${name}.yaml`), `${text}sources: ['${bucket.url('')}']\n`)
}
