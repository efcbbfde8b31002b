import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { readConfig, type Config } from '../../src/config.ts'
import { findJob, insertJob, readJobLog, saveContract } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import type { Figura } from '../../src/figura/types.ts'
import { openIngest, type Ingest } from '../../src/ingest/ingest.ts'
import type { JobEvent, Outcome, Task } from '../../src/job.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { smallFigura } from '../support/figuras.ts'
import { until } from '../support/service.ts'
import { duck, rowsOf, writeParquet } from '../support/parquet.ts'
import {
  freshBucket,
  freshDatabase,
  freshFolder,
  servers,
  type FreshBucket,
  type FreshDatabase,
} from '../support/servers.ts'

const ROWS = 400_000
const folder = freshFolder()
const file = join(folder.path, 'grande.parquet')
const events: JobEvent[] = []
let database: FreshDatabase
let bucket: FreshBucket
let proxy: Awaited<ReturnType<typeof startCountingProxy>>
let sql: Sql
let config: Config
let ingest: Ingest

beforeAll(async () => {
  ;[database, bucket, proxy] = await Promise.all([
    freshDatabase(),
    freshBucket(),
    startCountingProxy(servers.s3.endpoint),
  ])
  sql = openPostgres(database.url, { max: 4, name: 'test' })
  config = readConfig({
    DATABASE_URL: database.url,
    NATS_URL: servers.natsUrl,
    S3_ENDPOINT: proxy.url,
    S3_REGION: servers.s3.region,
    S3_ACCESS_KEY_ID: servers.s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: servers.s3.secretAccessKey,
    ALLOW_LOOPBACK_SOURCES: 'true',
    SOURCES: '*',
    WORK_DIR: folder.path,
    CHUNK_ROWS: '40960',
    FIRST_LOAD_ROWS: '0',
    CHUNKS_RELEASED: '4',
  })
  ingest = await openIngest(config, 0, (event) => void events.push(event))
  // texts that do not compress: 40 bytes a row, 16 MB in all, in 10 row groups
  const nome = 'md5(i::varchar) || md5((i + 1)::varchar) as nome'
  const select = `select i as id, ${nome}, i % 7 as sobra from range(${ROWS}) t(i)`
  await writeParquet(file, select, { rowGroupRows: 40_960 })
  await bucket.put('grande.parquet', { file })
})
afterAll(async () => {
  await ingest.close()
  await proxy.stop()
  await sql.end()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

test('a thread fetches the footer of a large file once, and of each chunk the bytes alone', async () => {
  const job = await accept('um')
  const planned = await ingest.run(job)
  const other = await openIngest(config, 1, () => {})
  // chunk 0 looks at the keys, so chunk 3 is the third row group; of its three columns the figura has two
  const third = taskOf(planned, (task) => task.kind === 'chunk' && task.chunk === 3)
  const second = taskOf(planned, (task) => task.kind === 'chunk' && task.chunk === 2)
  const fetched: number[] = []
  const ran: Outcome[] = []
  for (const [chunk, group] of [
    [third, 2],
    [second, 1],
  ] as const) {
    proxy.seen.length = 0
    ran.push(await other.run(chunk))
    const size = Bun.file(file).size
    const asked = proxy.seen.map((request) => ({ ...request, at: rangeOf(request.range, size) }))
    // the end of the file, where the footer is
    if (chunk === third) expect(asked.shift()?.range).toBe(`bytes=-${config.bounds.tailBytes}`)
    const { start, end } = await placeOf(group)
    expect(asked.length).toBeGreaterThan(0)
    for (const { at } of asked) {
      expect(at.start).toBeGreaterThanOrEqual(start)
      expect(at.end).toBeLessThanOrEqual(end + 100)
    }
    fetched.push(proxy.seen.reduce((sum, request) => sum + request.bytes, 0))
    expect(fetched.at(-1)).toBeLessThan(size / 5)
    expect(proxy.seen.every((request) => request.method === 'GET')).toBe(true)
  }
  expect(fetched[0]).toBeGreaterThan((fetched[1] ?? 0) + config.bounds.tailBytes / 2)
  await other.close()
  expect(ran.map((outcome) => outcome.kind)).toEqual(['done', 'done'])
  await finish({ kind: 'done', release: [planned, ...ran].flatMap(releasedBy) }, [third, second])
  expect(await findJob(sql, 'um', job.job)).toMatchObject({ status: 'completo', inserted: ROWS })
})

function releasedBy(outcome: Outcome): Task[] {
  return outcome.kind === 'done' ? outcome.release : []
}

/** Where the columns of the figura stand, of a row group of the file. */
async function placeOf(group: number): Promise<{ start: number; end: number }> {
  const connection = await duck()
  const [place] = await rowsOf(
    connection,
    `select min(coalesce(nullif(dictionary_page_offset, 0), data_page_offset))::double as start,
       max(data_page_offset + total_compressed_size)::double as end
     from parquet_metadata('${file}') where row_group_id = ${group} and path_in_schema in ('id', 'nome')`,
  )
  connection.closeSync()
  return place as { start: number; end: number }
}

const ALONE: [how: string, figura: string, urls: (url: string) => string[] | null][] = [
  ['the file of a job', 'dois', () => null],
  ['the one file that a pattern stands for', 'dois_um', (url) => [url]],
]
test.each(ALONE)('every range is asked for with the ETag of the plan: %s', async (_, name, urls) => {
  await bucket.put('trocado.parquet', { file })
  const job = await accept(name, bucket.url('trocado.parquet'), urls(bucket.url('trocado.parquet')))
  const planned = await ingest.run(job)
  const other = join(folder.path, 'outro.parquet')
  await writeParquet(other, `select i as id, 'other' as nome, 1 as sobra from range(${ROWS}) t(i)`, {
    rowGroupRows: 40_960,
  })
  await bucket.put('trocado.parquet', { file: other })
  await ingest.run(taskOf(planned, (task) => task.kind === 'chunk' && task.chunk === 3))
  expect(await findJob(sql, name, job.job)).toMatchObject({
    status: 'erro',
    error: { code: 'source_changed' },
  })
  expect(events).toContainEqual({ figura: name, job: job.job, status: 'erro' })
  expect(await stagesOf(job.job)).toEqual([])
})

test('a chunk that is delivered twice, one after the other or at the same time, counts once', async () => {
  const job = await accept('tres')
  const other = await openIngest(config, 1, () => {})
  const planned = await ingest.run(job)
  const chunk = taskOf(planned, (task) => task.kind === 'chunk' && task.chunk === 1)
  const both = await Promise.all([ingest.run(chunk), other.run(chunk)])
  const did = both.filter((outcome) => outcome.kind === 'done' && outcome.release.length > 0)
  // the other one finds it held, or done already when it comes late
  expect(did).toHaveLength(1)
  expect(await ingest.run(chunk)).toEqual({ kind: 'done', release: [] })
  await other.close()
  await finish(planned, [chunk], did[0])
  expect(await findJob(sql, 'tres', job.job)).toMatchObject({
    status: 'completo',
    read: ROWS,
    inserted: ROWS,
  })
})

test('a bounded number of chunks of a job stands in the queue, and each that is staged lets the next in', async () => {
  const job = await accept('quatro')
  const planned = await ingest.run(job)
  if (planned.kind !== 'done') throw new Error('not planned')
  expect(planned.release).toHaveLength(4)
  const next = await ingest.run(planned.release[0] as Task)
  expect(next.kind === 'done' && next.release).toHaveLength(1)
  await finish(planned, [planned.release[0] as Task], next)
})

test('a stage that PostgreSQL lost in a crash is noticed before the merge, and the file is read again', async () => {
  const job = await accept('cinco')
  const planned = await ingest.run(job)
  // what a crash does to UNLOGGED tables: both are empty
  await sql`truncate bulk.chunk`
  await sql.unsafe(`truncate bulk_stage.j_${job.job.replaceAll('-', '')}_1`)
  const chunk = taskOf(planned, (task) => task.kind === 'chunk')
  // a message of the lost stage is enough to see it: the job is rung for again at once
  const anew = await ingest.run(chunk)
  expect(anew).toEqual({ kind: 'done', release: [{ ...job, ring: 1 }] })
  expect(await ingest.run(chunk)).toEqual({ kind: 'done', release: [] })
  await finish(await ingest.run(taskOf(anew, () => true)), [])
  expect(await findJob(sql, 'cinco', job.job)).toMatchObject({
    status: 'completo',
    inserted: ROWS,
    attempts: 2,
  })
})

test('a job whose source has failed for too long ends in erro, and says what went wrong the last time', async () => {
  const job = await accept('seis', 's3://balde-que-nao-existe/x.parquet')
  await sql`update bulk.job set url = 'http://127.0.0.1:9/x.parquet' where id = ${job.job}`
  const definition = { ...figura('seis'), sources: ['http://127.0.0.1:9/'] }
  await sql`update bulk.contract set definition = ${sql.json(definition)} where figura = 'seis'`
  const since = new Date(Date.now() - config.bounds.sourceMs)
  const waiting = { reason: 'source', detail: '', since, until: since }
  await sql`update bulk.job set waiting = ${sql.json(JSON.parse(JSON.stringify(waiting)))} where id = ${job.job}`
  await ingest.run(job)
  const found = await findJob(sql, 'seis', job.job)
  expect(found).toMatchObject({
    status: 'erro',
    error: { code: 'attempts_exhausted', last_code: 'source_unreachable' },
  })
  expect((await readJobLog(sql, job.job, 100)).map((line) => line.level)).toEqual(['info', 'error'])
}, 120_000)

test('a task that is interrupted is handed back at once, with its lease, and costs no try', async () => {
  const job = await accept('sete')
  const planned = await ingest.run(job)
  const chunk = taskOf(planned, (task) => task.kind === 'chunk' && task.chunk === 2)
  const other = await openIngest(config, 1, () => {})
  // another transaction holds the stage, so that the COPY stands and waits
  const stage = `bulk_stage.j_${job.job.replaceAll('-', '')}_1`
  const held = Promise.withResolvers<void>()
  const holding = sql.begin(async (tx) => {
    await tx.unsafe(`lock table ${stage} in access exclusive mode`)
    await held.promise
  })
  const running = other.run(chunk)
  await until('the COPY waits', async () => {
    const rows = await sql`
      select 1 from pg_stat_activity where query ilike 'copy bulk_stage%' and wait_event_type = 'Lock'`
    return rows[0]
  })
  other.interrupt()
  expect(await running).toMatchObject({ kind: 'again', delayMs: 0 })
  const [row] =
    await sql`select claims, held_until, done_at from bulk.chunk where job = ${job.job} and no = 2`
  expect(row).toMatchObject({ claims: 0, heldUntil: null, doneAt: null })
  held.resolve()
  await holding
  await other.close()
  await finish(planned, [])
  expect(await findJob(sql, 'sete', job.job)).toMatchObject({ status: 'completo', inserted: ROWS })
}, 120_000)

async function accept(
  name: string,
  url = bucket.url('grande.parquet'),
  urls: string[] | null = null,
): Promise<Extract<Task, { kind: 'job' }>> {
  const id = Bun.randomUUIDv7()
  await saveContract(sql, { hash: name, figura: figura(name) })
  await insertJob(sql, { id, figura: name, contract: name, url, urls, sha256: null })
  return { kind: 'job', figura: name, job: id, ring: 0 }
}

function figura(name: string): Figura {
  return { ...smallFigura(name), sources: [bucket.url('')] }
}

function taskOf(outcome: Outcome, wanted: (task: Task) => boolean): Task {
  const task = outcome.kind === 'done' ? outcome.release.find(wanted) : undefined
  if (!task) throw new Error(`no such task: ${JSON.stringify(outcome)}`)
  return task
}

/** Runs what is left of a job, as the queue would. */
async function finish(planned: Outcome, done: Task[], more?: Outcome): Promise<void> {
  const tasks = [planned, more].flatMap((outcome) => (outcome?.kind === 'done' ? outcome.release : []))
  const waiting = tasks.filter((task) => !done.includes(task))
  for (let task = waiting.shift(); task; task = waiting.shift()) {
    const outcome = await ingest.run(task)
    if (outcome.kind === 'done') waiting.push(...outcome.release)
    else throw new Error(`put back: ${outcome.reason}`)
  }
}

async function stagesOf(job: string): Promise<string[]> {
  const rows = await sql<{ relname: string }[]>`
    select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where nspname = 'bulk_stage' and relname like ${`%${job.replaceAll('-', '')}%`}`
  return rows.map((row) => row.relname)
}

function rangeOf(range: string | undefined, size: number): { start: number; end: number } {
  const [, start, end] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  return start ? { start: Number(start), end: Number(end) + 1 } : { start: size - Number(end), end: size }
}
