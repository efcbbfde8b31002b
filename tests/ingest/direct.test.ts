import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findJob, readJobLog } from '../../src/db/jobs.ts'
import type { Figura } from '../../src/figura/types.ts'
import { openIngest } from '../../src/ingest/ingest.ts'
import { serveFile } from '../source/file-server.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'
import { duck } from '../support/parquet.ts'
import { until } from '../support/service.ts'

let at: InProcess
let figura: Figura
let number = 0

beforeAll(async () => {
  at = await startInProcess()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => {
  figura = at.figura(`pequena${number++}`, { id: 'bigint', nome: 'text' })
})

const rows = (from: number, count: number, nome = 'nome') =>
  `select i as id, '${nome} ' || i as nome from range(${from}, ${from + count}) t(i)`
const stages = () => at.sql`select relname from pg_class where relnamespace = 'bulk_stage'::regnamespace`
const isDirect = async (job: { id: string }) =>
  (await readJobLog(at.sql, job.id, 100)).some((line) => line.data?.direct === true)

test('a small file is loaded in one transaction, with all its statistics and no stage', async () => {
  const job = await at.load(figura, await at.write('um', rows(0, 1000)))
  expect(job).toMatchObject({
    status: 'completo',
    rows: 1000,
    rowGroups: 1,
    chunksTotal: 1,
    chunksDone: 1,
    checksDone: 1,
    read: 1000,
    inserted: 1000,
    stage: null,
  })
  expect(job.bytes).toBeGreaterThan(0)
  for (const ms of [job.planMs, job.stageMs, job.mergeMs]) expect(ms).toBeNumber()
  expect(await isDirect(job)).toBe(true)
  const next = await at.load(
    figura,
    await at.write('dois', `${rows(0, 900)} union all ${rows(900, 200, 'novo')}`),
  )
  expect(next).toMatchObject({ status: 'completo', inserted: 100, updated: 100, unchanged: 900 })
  expect(await stages()).toHaveLength(0)
})

test('many small files of one figura leave nothing in the catalogues', async () => {
  // the figura's table and the session's stage are made once
  await at.load(figura, await at.write('antes', rows(0, 10)))
  const newest = () => at.sql`select count(*) as relations, max(oid::bigint) as newest from pg_class`
  const before = await newest()
  for (let file = 0; file < 20; file++) await at.load(figura, await at.write(`f${file}`, rows(file * 10, 10)))
  expect(await newest()).toEqual(before)
})

test('a small file waits its turn staged when an earlier one of its figura takes long', async () => {
  const earlier = await at.accept(figura, await at.write('cedo', rows(0, 10)))
  await at.sql`update bulk.job set status = 'processando', phase = 'stage', stage = 1,
    lease_until = now() + interval '1 hour' where id = ${earlier.job}`
  const later = await at.accept(figura, await at.write('tarde', rows(5, 10, 'novo')))
  expect(await at.finish(later)).toMatchObject({ status: 'processando', phase: 'wait' })
  expect(await stages()).toHaveLength(1)
  await at.sql`update bulk.job set status = 'erro' where id = ${earlier.job}`
  expect(await at.finish(later)).toMatchObject({ status: 'completo', inserted: 10 })
  expect(await stages()).toHaveLength(0)
})

test('a small file with bad data ends its job in erro, and the next one on that connection is loaded', async () => {
  const bad = await at.load(figura, await at.write('nulo', `select 1::bigint as id, 'a' || chr(0) as nome`))
  expect(bad).toMatchObject({ status: 'erro', error: { code: 'value_refused' }, stage: null })
  const twice = await at.load(figura, await at.write('vezes', `${rows(0, 5)} union all ${rows(0, 5)}`))
  expect(twice).toMatchObject({ status: 'erro', error: { code: 'key_repeated' } })
  expect(await at.load(figura, await at.write('bom', rows(0, 5)))).toMatchObject({
    status: 'completo',
    inserted: 5,
  })
})

test('where the role may make no temporary table, a small file is staged like a large one', async () => {
  await using rich = await startInProcess()
  const role = `poor_${crypto.randomUUID().slice(0, 8)}`
  const [row] = await rich.sql`select current_database() as name`
  await rich.sql.unsafe(`
    revoke temporary on database "${row?.name}" from public;
    create role ${role} login password 'poor';
    grant usage, create on schema public, bulk_stage to ${role};
    grant usage on schema bulk to ${role};
    grant all on all tables in schema bulk to ${role};
    grant all on all sequences in schema bulk to ${role}`)
  const url = new URL(rich.config.databaseUrl)
  Object.assign(url, { username: role, password: 'poor' })
  const ingest = await openIngest({ ...rich.config, databaseUrl: url.href }, 0, () => {})
  try {
    const task = await rich.accept(
      rich.figura('pobre', { id: 'bigint' }),
      await rich.write('pobre', 'select 1 as id'),
    )
    expect((await ingest.run(task)).kind).toBe('done')
    const job = await findJob(rich.sql, 'pobre', task.job)
    expect(job).toMatchObject({ status: 'completo', inserted: 1, stage: 1 })
  } finally {
    await ingest.close()
  }
})

test('a key that a foreign writer inserts at the same time is met by the next try, and updated', async () => {
  await at.load(figura, await at.write('antes', rows(100, 1)))
  const foreign = await at.sql.reserve()
  await foreign`begin`
  await foreign.unsafe(`insert into ${figura.name} values (1, 'alheio')`)
  const task = await at.accept(figura, await at.write('junto', rows(0, 10)))
  const running = at.finish(task)
  await until('the job waits for it', async () => {
    const waiting = await at.sql`select from pg_locks join pg_stat_activity using (pid)
      where not granted and datname = current_database()`
    return waiting.length > 0 ? true : undefined
  })
  await foreign`commit`
  foreign.release()
  expect(await running).toMatchObject({ status: 'completo', inserted: 9, updated: 1 })
  expect(await at.sql`select nome from ${at.sql(figura.name)} where id = 1`).toMatchObject([
    { nome: 'nome 1' },
  ])
})

test('a unique index beside the key refuses the rows for good', async () => {
  await at.load(figura, await at.write('unica', rows(0, 1, 'igual')))
  await at.sql.unsafe(`create unique index on ${figura.name} (left(nome, 5))`)
  const job = await at.load(figura, await at.write('iguais', rows(1, 1, 'igual')))
  expect(job).toMatchObject({ status: 'erro', error: { code: 'table_refused' } })
})

test('what a try has left out whose source broke off is not told of the next one', async () => {
  const text = `array_to_string(list_transform(range(73), x -> md5((i * 73 + x)::text)), '')`
  // of 9.6 MB, which come in two pieces
  const write = async (name: string, bad: string) => {
    const path = join(at.folder, `${name}.parquet`)
    const select = `select i as id, ${text} || case when i = 5 then ${bad} else '' end as nome from range(4096) t(i)`
    const options = 'format parquet, compression uncompressed, row_group_size 2048'
    await (await duck()).run(`copy (${select}) to '${path}' (${options})`)
    return path
  }
  const broken = readFileSync(await write('nulo', 'chr(0)'))
  const isLate = (range: string) => Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0) > broken.length / 3
  await using server = await serveFile(broken, {
    lie: ({ range }, response, honest) => (isLate(range) ? response.destroy() : honest()),
  })
  figura.rejects = { maxRows: 5, maxPercent: null }
  figura.sources.push(`${server.origin}/`)
  const task = await at.accept(figura, await write('inteiro', `''`))
  const { job } = task
  const url = (await findJob(at.sql, figura.name, job))?.url ?? ''
  await at.sql`update bulk.job set url = ${`${server.origin}/um.parquet`} where id = ${job}`
  expect(await at.ingest.run(task)).toMatchObject({ kind: 'again' })
  expect(await at.sql`select from bulk.reject where job = ${job}`).toHaveLength(1)

  await at.sql`update bulk.job set lease_until = now(), url = ${url} where id = ${job}`
  expect(await at.finish(task)).toMatchObject({ status: 'completo', inserted: 4096, rejected: 0 })
  expect(await at.sql`select from bulk.reject where job = ${job}`).toHaveLength(0)
})
