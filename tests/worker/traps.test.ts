import { describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { createLog } from '../../src/log.ts'
import { startPool } from '../../src/worker/pool.ts'
import { insertJob, saveContract } from '../../src/db/jobs.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { smallFigura } from '../support/figuras.ts'
import { writeParquet } from '../support/parquet.ts'
import { freshBucket, freshDatabase, freshFolder, servers } from '../support/servers.ts'
import { until } from '../support/service.ts'

const PROGRAMS = join(import.meta.dir, 'programs')
const ROOT = join(import.meta.dir, '../..')

describe('a thread that fails while DuckDB is at work', () => {
  test.each(['throw', 'reject'])('takes nothing with it when it has the handlers (%s)', async (fault) => {
    const ended = await run('thread-faults.ts', ['guarded', fault])
    expect(ended).toMatchObject({ code: 0, signal: null })
    expect(ended.said).toContain('fault')
  })

  test('would take the whole process with it if it had not', async () => {
    const faults = ['throw', 'reject', 'throw']
    const ended = await Promise.all(faults.map((fault) => run('thread-faults.ts', ['bare', fault])))
    expect(ended.some(({ code, signal }) => code !== 0 || signal !== null)).toBe(true)
  })

  test('has them before anything else is loaded, and takes messages before anything is awaited', async () => {
    const text = await Bun.file(join(ROOT, 'src/worker/thread.ts')).text()
    const at = (part: string) => text.indexOf(part)
    expect(at("process.on('uncaughtException'")).toBeGreaterThan(0)
    expect(at("process.on('unhandledRejection'")).toBeLessThan(at('self.onmessage ='))
    expect(at('self.onmessage =')).toBeLessThan(at('await '))
    // only types are imported at the top: they are gone at run time
    for (const line of text.split('\n'))
      if (line.startsWith('import ')) expect(line).toStartWith('import type ')
  })
})

describe('the native thread pool', () => {
  test('lets a file be read beside two queries when it has the size that the supervisor gives it', async () => {
    expect((await run('native-pool.ts', [], { UV_THREADPOOL_SIZE: '16' })).said.trim()).toBe('the file')
  })

  test('is taken whole by two queries on two cores when nobody sets its size', async () => {
    expect((await run('native-pool.ts', [], { UV_THREADPOOL_SIZE: '2' })).said.trim()).toBe('a query')
  })

  test('that is too small is refused by the worker process at start', async () => {
    const child = Bun.spawn([process.execPath, 'src/node.ts'], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: servers.databaseUrl,
        NATS_URL: servers.natsUrl,
        UV_THREADPOOL_SIZE: '4',
      },
      stdout: 'pipe',
    })
    expect(await child.exited).toBe(1)
    expect(await new Response(child.stdout).text()).toContain(
      'UV_THREADPOOL_SIZE: found 4, expected 16 or more',
    )
  })
})

const stops = [
  { how: 'waited for', interrupted: false },
  { how: 'interrupted', interrupted: true },
]

test.each(stops)(
  'threads whose large file is $how when they stop, stop cleanly, 3 times of 3',
  async (stop) => {
    await using database = await freshDatabase()
    using folder = freshFolder()
    const bucket = await freshBucket()
    const file = join(folder.path, 'grande.parquet')
    // one text for all rows: a small file, and so one chunk, whose COPY is of 200 MB
    await writeParquet(file, `select i as id, repeat('x', 2000) as nome from range(100000) t(i)`)
    await bucket.put('grande.parquet', { file })
    const sql = openPostgres(database.url, { max: 1, name: 'test' })
    for (let round = 0; round < 3; round++) {
      const name = `parada_${round}`
      await saveContract(sql, { hash: name, figura: { ...smallFigura(name), sources: [bucket.url('')] } })
      const workDir = join(folder.path, name)
      mkdirSync(workDir)
      const config = readConfig({
        DATABASE_URL: database.url,
        NATS_URL: servers.natsUrl,
        S3_ENDPOINT: servers.s3.endpoint,
        S3_ACCESS_KEY_ID: servers.s3.accessKeyId,
        S3_SECRET_ACCESS_KEY: servers.s3.secretAccessKey,
        ALLOW_LOOPBACK_SOURCES: 'true',
        SOURCES: '*',
        WORK_DIR: workDir,
        CHUNK_ROWS: '10000000',
        CHUNK_MB: '4096',
      })
      const fatal: string[] = []
      const log = createLog({}, () => {})
      const pool = await startPool(config, { log, onEvent: () => {}, onFatal: (why) => void fatal.push(why) })
      const jobs = [Bun.randomUUIDv7(), Bun.randomUUIDv7()]
      const job = { figura: name, contract: name, url: bucket.url('grande.parquet'), sha256: null }
      for (const id of jobs) await insertJob(sql, { id, ...job })
      const outcomes = jobs.map((job) => pool.run({ kind: 'job', figura: name, job, ring: 0 }))
      await until('a COPY runs', async () => {
        const [row] = await sql`
        select count(*)::int as copies from pg_stat_activity
        where query ilike 'copy bulk_stage%' and state = 'active'`
        return row?.copies > 0 ? true : undefined
      })
      if (stop.interrupted) pool.interrupt()
      await pool.stop()
      const kinds = (await Promise.all(outcomes)).map((outcome) => outcome.kind)
      if (stop.interrupted) expect(kinds).toContain('again')
      else expect(kinds).toEqual(['done', 'done'])
      expect(fatal).toEqual([])
      const [held] = await sql`
      select count(*)::int as jobs from bulk.job where lease_until > now() and status = 'processando'`
      expect(held?.jobs).toBe(0)
    }
    await sql.end()
  },
  120_000,
)

test('the statement of a process that is killed is ended by PostgreSQL, and is not committed', async () => {
  await using database = await freshDatabase()
  await database.sql`create table orphan (n int)`
  const child = Bun.spawn([process.execPath, join(PROGRAMS, 'orphan-sql.ts'), database.url], {
    stdout: 'pipe',
  })
  const isRunning = async () => {
    const [row] = await database.sql`
      select count(*)::int as running from pg_stat_activity
      where application_name = 'orphan' and query ilike '%pg_sleep%'`
    return row?.running > 0
  }
  await until('the statement runs', async () => ((await isRunning()) ? true : undefined))
  child.kill('SIGKILL')
  await child.exited
  await until('its backend is gone', async () => ((await isRunning()) ? undefined : true))
  const [row] = await database.sql`select count(*)::int as rows from orphan`
  expect(row?.rows).toBe(0)
})

async function run(program: string, args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, join(PROGRAMS, program), ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const said = await new Response(child.stdout).text()
  await child.exited
  return { code: child.exitCode, signal: child.signalCode, said }
}
