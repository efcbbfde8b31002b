import { afterAll, beforeAll, expect, test } from 'bun:test'
import { decideMerge } from '../../src/db/ends.ts'
import { findJob } from '../../src/db/jobs.ts'
import { beginMerge, partName, preparePart, statusOfParts } from '../../src/db/parts.ts'
import type { Figura } from '../../src/figura/types.ts'
import { openIngest } from '../../src/ingest/ingest.ts'
import { startOrphanSweep } from '../../src/ingest/orphans.ts'
import { stageName } from '../../src/ingest/sql-postgres.ts'
import type { JobEvent, Task } from '../../src/job.ts'
import { createLog } from '../../src/log.ts'
import { allInserted } from '../db/job-rows.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'
import { until } from '../support/service.ts'

const ROWS = 5000
const told: JobEvent[] = []

let at: InProcess
let file: string
beforeAll(async () => {
  at = await startInProcess({ CHUNK_ROWS: '2048', FIRST_LOAD_ROWS: '0', DIRECT_ROWS: '0' })
  file = await at.write('linhas', `select i as id, 'nome ' || i as nome from range(${ROWS}) t(i)`, 2048)
})
afterAll(() => at[Symbol.asyncDispose]())

let number = 0

test('a stage whose job has ended is dropped, as a worker leaves it that dies then; its marks go too', async () => {
  const { task } = await staged()
  await at.sql`
    insert into bulk.chunk (job, stage, no, kind, row_start, row_end) values (${task.job}, 7, 1, 'rows', 0, 1)`
  await at.sql`update bulk.job set status = 'erro', finished_at = now() where id = ${task.job}`
  await sweptUntil(async () => (await stages(task)).length === 0 && (await marks(task)) === 0)
})

test('a stage of an earlier attempt or of no job is dropped; that of a job at work stays', async () => {
  const { task } = await staged()
  const earlier = stageName(task.job, 9)
  const strange = stageName(Bun.randomUUIDv7(), 1)
  for (const name of [earlier, strange, 'bulk_stage.minha'])
    await at.sql.unsafe(`create table ${name} (id bigint)`)
  const before = await marks(task)
  await sweptUntil(async () => !(await exist(earlier)) && !(await exist(strange)))
  expect(await stages(task)).toEqual([`j_${task.job.replaceAll('-', '')}_1`])
  expect(await exist('bulk_stage.minha')).toBe(true)
  expect(before).toBeGreaterThan(1)
  expect(await marks(task)).toBe(before)
})

test('a stage that somebody still copies into is dropped when they are done, and holds nobody up before', async () => {
  const { task } = await staged()
  await at.sql`update bulk.job set status = 'erro', finished_at = now() where id = ${task.job}`
  const zombie = await at.sql.reserve()
  await zombie`begin`
  await zombie.unsafe(`insert into ${stageName(task.job, 1)} (id) values (1)`)
  const other = stageName(Bun.randomUUIDv7(), 1)
  await at.sql.unsafe(`create table ${other} (id bigint)`)
  await sweptUntil(async () => !(await exist(other)))
  expect(await stages(task)).toHaveLength(1)
  await zombie`rollback`
  zombie.release()
  await sweptUntil(async () => (await stages(task)).length === 0)
})

test('a stage that cannot be dropped is told of, and holds up none behind it', async () => {
  const [used, other] = [1, 2].map((no) => stageName(Bun.randomUUIDv7(), no)) as [string, string]
  for (const name of [used, other]) await at.sql.unsafe(`create table ${name} (id bigint)`)
  await at.sql.unsafe(`create view visao as select id from ${used}`)
  const lines = await sweptUntil(async () => !(await exist(other)))
  expect(await exist(used)).toBe(true)
  const told = lines.find((line) => line.includes('is not dropped')) ?? '{}'
  expect(JSON.parse(told)).toMatchObject({ level: 'warn', stage: 1, code: '2BP01' })
  await at.sql`drop view visao`
  await sweptUntil(async () => !(await exist(used)))
})

test('a merge that was decided is finished without a doorbell when its worker fell silent', async () => {
  const { task, figura } = await staged()
  const fence = await beginMerge(at.sql, { job: task.job, stage: 1 })
  if (!fence) throw new Error('the job cannot be merged')
  const xids = await Promise.all([0, 1].map((part) => prepare(figura, task, { ...fence, part })))
  expect(await decideMerge(at.sql, fence, { xids, stats: allInserted(ROWS) })).toBe(true)
  await at.sql`update bulk.job set lease_until = now() + interval '1 second' where id = ${task.job}`

  const job = () => findJob(at.sql, figura.name, task.job)
  const started = performance.now()
  await sweptUntil(async () => (await job())?.status === 'completo')
  expect(performance.now() - started).toBeGreaterThan(900)
  expect(await at.sql`select count(*) as rows from ${at.sql(figura.name)}`).toMatchObject([{ rows: ROWS }])
  expect(await at.sql`select gid from pg_prepared_xacts where database = current_database()`).toHaveLength(0)
  expect([await stages(task), await marks(task)]).toEqual([[], 0])
  expect(told.filter((event) => event.job === task.job)).toEqual([
    { figura: figura.name, job: task.job, status: 'completo' },
  ])
})

test('a merge that was only prepared is undone when its worker fell silent, and done by the next', async () => {
  const { task, figura } = await staged()
  const fence = await beginMerge(at.sql, { job: task.job, stage: 1 })
  if (!fence) throw new Error('the job cannot be merged')
  await prepare(figura, task, { ...fence, part: 0 })
  await at.sql`update bulk.job set lease_until = now() where id = ${task.job}`
  const prepared = () => at.sql`select gid from pg_prepared_xacts where database = current_database()`
  await sweptUntil(async () => (await prepared()).length === 0)
  expect(await at.sql`select from ${at.sql(figura.name)}`).toHaveLength(0)
  expect(await at.finish(task)).toMatchObject({ status: 'completo', inserted: ROWS })
})

test('who has lost a stage and is slow leaves the merge alone that the next holder has decided', async () => {
  const { task, figura } = await staged()
  await at.sql`delete from bulk.chunk where job = ${task.job}`
  await using proxy = await startFaultProxy(at.config.databaseUrl)
  const slow = await openIngest({ ...at.config, databaseUrl: proxy.by(at.config.databaseUrl) }, 1, () => {})
  let xids: string[] = []
  // it has given the job up, and another one is done with it when it comes to clear away
  const struck = proxy.watch({
    texts: ['starts_with(gid'],
    from: 'client',
    when: 'before',
    strike: async () => {
      await at.sql`update bulk.job set stage = 2, attempts = 2, phase = 'stage', lease_until = now() + interval '1 hour'
        where id = ${task.job} and stage is null`
      const [lost, own] = [1, 2].map((stage) => stageName(task.job, stage))
      await at.sql.unsafe(`create table ${own} as select * from ${lost}`)
      const fence = await beginMerge(at.sql, { job: task.job, stage: 2 })
      if (!fence) throw new Error('the job cannot be merged')
      xids = await Promise.all([0, 1].map((part) => prepare(figura, task, { ...fence, part })))
      expect(await decideMerge(at.sql, fence, { xids, stats: allInserted(ROWS) })).toBe(true)
      return 'pass' as const
    },
  })
  await Promise.all([struck, slow.run(task)])
  await slow.close()
  expect(await statusOfParts(at.sql, xids)).toEqual(['in progress', 'in progress'])
  await at.sql`update bulk.job set lease_until = now() where id = ${task.job}`
  await sweptUntil(async () => (await findJob(at.sql, figura.name, task.job))?.status === 'completo')
  expect(await at.sql`select count(*) as rows from ${at.sql(figura.name)}`).toMatchObject([{ rows: ROWS }])
})

/** A job whose rows are staged, and that would merge now: an earlier one has kept it from that. */
async function staged(): Promise<{ task: Extract<Task, { kind: 'job' }>; figura: Figura }> {
  const figura = at.figura(`resto${number++}`, { id: 'bigint', nome: 'text' })
  await at.sql.unsafe(`create table ${figura.name} (id bigint primary key, nome text)`)
  const earlier = await at.accept(figura, file)
  await at.sql`update bulk.job set lease_until = now() + interval '1 hour' where id = ${earlier.job}`
  const task = await at.accept(figura, file)
  await at.finish(task)
  await at.sql`update bulk.job set status = 'cancelado', finished_at = now() where id = ${earlier.job}`
  expect(await findJob(at.sql, figura.name, task.job)).toMatchObject({ phase: 'wait', stage: 1 })
  return { task, figura }
}

function prepare(
  figura: Figura,
  task: Task,
  of: { job: string; stage: number; mergeTry: number; part: number },
): Promise<string> {
  return at.sql.begin(async (tx) => {
    const half = `select * from ${stageName(task.job, of.stage)} where id % 2 = ${of.part}`
    await tx.unsafe(`insert into ${figura.name} ${half}`)
    return preparePart(tx, partName(of, of.part))
  })
}

/** Sweeps, as two nodes do, until that holds; gives the lines of their log. */
async function sweptUntil(holds: () => Promise<boolean>): Promise<string[]> {
  const lines: string[] = []
  const log = createLog({}, (line) => void lines.push(line))
  const tell = (event: JobEvent) => void told.push(event)
  const sweeper = { everyMs: 20, leaseMs: 30_000, node: 'n', tell, log }
  const sweeps = [1, 2].map(() => startOrphanSweep(at.sql, sweeper))
  try {
    await until('it is swept', async () => ((await holds()) ? true : undefined), 10_000)
  } finally {
    await Promise.all(sweeps.map((sweep) => sweep.stop()))
  }
  expect(lines.filter((line) => line.includes('cannot clear'))).toEqual([])
  return lines
}

async function stages({ job }: Task): Promise<string[]> {
  const like = `j_${job.replaceAll('-', '')}%`
  return (await at.sql`select relname from pg_class where relname like ${like}`).map((row) =>
    String(row.relname),
  )
}

async function marks({ job }: Task): Promise<number> {
  const [row] = await at.sql<{ marks: number }[]>`select count(*) as marks from bulk.chunk where job = ${job}`
  return row?.marks ?? 0
}

async function exist(name: string): Promise<boolean> {
  const [row] = await at.sql<{ there: boolean }[]>`select to_regclass(${name}) is not null as there`
  return row?.there ?? false
}
