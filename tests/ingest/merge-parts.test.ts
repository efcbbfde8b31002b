import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { decideMerge } from '../../src/db/ends.ts'
import { findJob, readJobLog } from '../../src/db/jobs.ts'
import { beginMerge, commitPart, partName, preparePart, rollbackPart } from '../../src/db/parts.ts'
import type { Figura } from '../../src/figura/types.ts'
import { planMerge } from '../../src/ingest/merge.ts'
import { rollbackOrphans } from '../../src/ingest/orphans.ts'
import { stageName } from '../../src/ingest/sql-postgres.ts'
import type { Task } from '../../src/job.ts'
import { createLog } from '../../src/log.ts'
import { allInserted } from '../db/job-rows.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'

const ROWS = 20_000
const log = createLog({})
let at: InProcess
beforeAll(async () => {
  // a connection for each 1,000 rows, three at the most: what is seen here is what large files do
  at = await startInProcess({
    MERGE_PART_ROWS: '1000',
    MERGE_CONNECTIONS: '3',
    CHUNK_ROWS: '4096',
    FIRST_LOAD_ROWS: '0',
  })
})
afterAll(() => at[Symbol.asyncDispose]())

let figura: Figura
let number = 0
beforeEach(() => {
  figura = at.figura(`parte${number++}`, { id: 'bigint', nome: 'text' })
})

const first = `select i as id, 'nome ' || i as nome from range(${ROWS}) t(i)`
const prepared = () => at.sql`select gid from pg_prepared_xacts where database = current_database()`
const table = () =>
  at.sql`select count(*) as rows, sum(id)::bigint as ids, min(nome) as least from ${at.sql(figura.name)}`
const WHOLE = [{ rows: ROWS, ids: (ROWS * (ROWS - 1)) / 2, least: 'nome 0' }]

/** What the job's log says of its merges. */
async function merges(job: { id: string }) {
  const lines = await readJobLog(at.sql, job.id, 1000)
  return lines.filter((line) => line.phase === 'merge').map(({ message, data }) => ({ message, ...data }))
}

describe('how a stage is merged', () => {
  const facts = { preparedFree: 8, stageBlocks: 1000 }
  const bounds = { mergeConnections: 3, mergePartRows: 100, mergePartBytes: 2 ** 40 }
  const plan = (changed: Partial<typeof facts>, rows = 1000, other: Partial<typeof bounds> = {}) =>
    planMerge({ ...facts, ...changed }, { id: 'j', rows }, { stage: 1, bounds: { ...bounds, ...other } })

  test('over as many connections as its rows or its bytes are worth, without a gap between the slices', () => {
    expect(plan({}).map((slice) => slice.match(/\(\d+,0\)/g))).toEqual([
      ['(0,0)', '(333,0)'],
      ['(333,0)', '(666,0)'],
      ['(666,0)', '(4294967295,0)'],
    ])
    expect(plan({}, 250)).toHaveLength(2)
    expect(plan({}, 199)).toEqual([stageName('j', 1)])
    expect(plan({}, 10, { mergePartBytes: 4_000_000 })).toHaveLength(2)
  })

  test('in one transaction where none can be prepared, or too few', () => {
    for (const preparedFree of [0, 2, -1]) expect(plan({ preparedFree })).toHaveLength(1)
    expect(plan({ stageBlocks: 0 })).toHaveLength(1)
  })
})

describe('a large merge', () => {
  test('runs over several connections, counts every row, and leaves nothing prepared', async () => {
    const job = await at.load(figura, await at.write('inicio', first, 2048))
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS, updated: 0, unchanged: 0 })
    expect(await merges(job)).toMatchObject([{ connections: 3 }])
    expect(await table()).toMatchObject(WHOLE)

    const change = `select i as id, case when i % 10 = 0 then 'novo ' || i else 'nome ' || i end as nome
      from range(${ROWS + 500}) t(i)`
    const next = await at.load(figura, await at.write('mudado', change, 2048))
    expect(next).toMatchObject({
      status: 'completo',
      inserted: 500,
      updated: ROWS / 10,
      unchanged: ROWS * 0.9,
    })
    expect(await merges(next)).toMatchObject([{ connections: 3 }])
    expect(
      await at.sql`select id from ${at.sql(figura.name)} where (nome like 'novo%') <> (id % 10 = 0)`,
    ).toHaveLength(0)
    expect(await prepared()).toHaveLength(0)
  })

  test('is done in one transaction where a trigger forbids to prepare one', async () => {
    const name = at.sql(figura.name)
    await at.sql`create table ${name} (id bigint primary key, nome text)`
    await at.sql.unsafe(`
      create function ${figura.name}_told() returns trigger language plpgsql as
        $$ begin perform pg_notify('changed', ''); return null; end $$;
      create trigger told after insert on ${figura.name} execute function ${figura.name}_told()`)
    const job = await at.load(figura, await at.write('avisado', first, 2048))
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS })
    expect(await merges(job)).toMatchObject([{ code: '0A000' }, { connections: 1 }])
    expect(await table()).toMatchObject(WHOLE)
    expect(await prepared()).toHaveLength(0)
  })

  test('is done in one transaction that waits, where somebody holds a row for long', async () => {
    await at.load(figura, await at.write('antes', first, 2048))
    const held = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const holder = at.sql.begin(async (tx) => {
      await tx`select from ${tx(figura.name)} where id = 7 for update`
      held.resolve()
      await release.promise
    })
    await held.promise
    const task = await at.accept(figura, await at.write('depois', first.replace('nome ', 'outro '), 2048))
    const finished = at.finish(task)
    while ((await merges({ id: task.job })).length === 0) await Bun.sleep(50)
    release.resolve()
    await holder
    expect(await finished).toMatchObject({ status: 'completo', updated: ROWS })
    expect(await merges({ id: task.job })).toMatchObject([{ code: '55P03' }, { connections: 1 }])
  })

  test('of which a trigger drops a row is rolled back in all its parts, and told of', async () => {
    await at.sql.unsafe(`
      create table ${figura.name} (id bigint primary key, nome text);
      create function ${figura.name}_passes() returns trigger language plpgsql as $$ begin return null; end $$;
      create trigger passes before insert on ${figura.name} for each row when (new.id = 7)
        execute function ${figura.name}_passes()`)
    const job = await at.load(figura, await at.write('perdida', first, 2048))
    const error = { code: 'table_refused', inserted: ROWS - 1, to_insert: ROWS }
    expect(job).toMatchObject({ status: 'erro', attempts: 1, error })
    expect(await table()).toMatchObject([{ rows: 0 }])
    expect(await prepared()).toHaveLength(0)
  })

  test('that the table refuses ends its job in erro with the reason, and leaves the table as it was', async () => {
    await at.sql`create table ${at.sql(figura.name)} (id bigint primary key, nome text check (nome <> 'nome 19999'))`
    const job = await at.load(figura, await at.write('recusado', first, 2048))
    expect(job).toMatchObject({ status: 'erro', error: { code: 'table_refused' } })
    expect(await table()).toMatchObject([{ rows: 0 }])
    expect(await prepared()).toHaveLength(0)
  })
})

/** Runs a job up to its merge, which fails since the decision cannot be written; then all is as after a crash. */
async function crashBeforeDecision(): Promise<Task> {
  await at.sql.unsafe(`
    create or replace function undecided() returns trigger language plpgsql as
      $$ begin raise exception 'the link is lost' using errcode = '08006'; end $$;
    create trigger undecided before update on bulk.job for each row
      when (old.decision is null and new.decision is not null) execute function undecided()`)
  try {
    const task = await at.accept(figura, await at.write('queda', first, 2048))
    const tasks: Task[] = [task]
    for (let next = tasks.shift(); next; next = tasks.shift()) {
      const outcome = await at.ingest.run(next)
      if (outcome.kind === 'done') tasks.push(...outcome.release)
    }
    return task
  } finally {
    await at.sql`drop trigger undecided on bulk.job`
  }
}

/** Stages a job, and does by hand what a holder does that dies after the decision. */
async function crashAfterDecision(): Promise<{ task: Task; names: string[] }> {
  await at.sql.unsafe(`create table ${figura.name} (id bigint primary key, nome text)`)
  const task = await at.accept(figura, await at.write('queda', first, 2048))
  // an earlier job that lives: this one waits staged
  const earlier = await at.accept(
    figura,
    await at.write('cedo', 'select 1::bigint as id, null::varchar as nome'),
  )
  await at.sql`update bulk.job set seq = default where id = ${task.job}`
  await at.sql`update bulk.job set lease_until = now() + interval '1 hour' where id = ${earlier.job}`
  await at.finish(task)
  await at.sql`update bulk.job set status = 'cancelado' where id = ${earlier.job}`
  const fence = await beginMerge(at.sql, { job: task.job, stage: 1 })
  if (!fence) throw new Error('the job cannot be merged')
  const xids: string[] = []
  for (const [part, rest] of ['id % 2 = 0', 'id % 2 = 1'].entries()) {
    const xid = await at.sql.begin(async (tx) => {
      await tx.unsafe(`insert into ${figura.name} select * from ${stageName(task.job, 1)} where ${rest}`)
      return preparePart(tx, partName(fence, part))
    })
    xids.push(xid)
  }
  const stats = allInserted(ROWS)
  expect(await decideMerge(at.sql, fence, { xids, stats })).toBe(true)
  return { task, names: [partName(fence, 0), partName(fence, 1)] }
}

describe('a crash', () => {
  test('before the decision: the next holder rolls the parts back and merges once', async () => {
    const task = await crashBeforeDecision()
    expect((await prepared()).length).toBe(3)
    expect(await table()).toMatchObject([{ rows: 0 }])
    const job = await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS })
    expect(await table()).toMatchObject(WHOLE)
    expect(await prepared()).toHaveLength(0)
  })

  test('before the decision, and the stage lost too: the parts are rolled back, the file is read again', async () => {
    const task = await crashBeforeDecision()
    await at.sql`delete from bulk.chunk where job = ${task.job}`
    await at.sql`update bulk.job set lease_until = now() where id = ${task.job}`
    const job = await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS })
    expect(await prepared()).toHaveLength(0)
  })

  test('after the decision: the next holder commits the parts, and the job ends well', async () => {
    const { task, names } = await crashAfterDecision()
    await commitPart(at.sql, names[0]!)
    const job = await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS, attempts: 1 })
    expect(await table()).toMatchObject(WHOLE)
    expect(await prepared()).toHaveLength(0)
    expect(await at.sql`select to_regclass(${stageName(task.job, 1)}) as stage`).toMatchObject([
      { stage: null },
    ])
  })

  test('after the decision, and the stage lost too: a late chunk undoes nothing, parts are committed', async () => {
    const { task } = await crashAfterDecision()
    await at.sql`delete from bulk.chunk where job = ${task.job}`
    const chunk = { ...task, kind: 'chunk' as const, stage: 1, chunk: 1 }
    expect(await at.ingest.run(chunk)).toEqual({ kind: 'done', release: [] })
    expect(await prepared()).toHaveLength(2)
    const job = await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS })
    expect(await table()).toMatchObject(WHOLE)
  })

  test('after the decision, and a part is rolled back by hand: the stage is merged again', async () => {
    const { task, names } = await crashAfterDecision()
    await rollbackPart(at.sql, names[1]!)
    const job = await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(job).toMatchObject({ status: 'completo', inserted: ROWS / 2, unchanged: ROWS / 2 })
    expect(await table()).toMatchObject(WHOLE)
  })

  test('after the decision: neither a failure nor a new plan can undo it', async () => {
    const { task } = await crashAfterDecision()
    expect(await beginMerge(at.sql, { job: task.job, stage: 1 })).toBeUndefined()
    await at.sql`update bulk.job set attempts = 99 where id = ${task.job}`
    const job = await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(job).toMatchObject({ status: 'completo' })
  })
})

describe('parts that nobody will end', () => {
  const part = async (job: string, mergeTry: number) => {
    const name = partName({ job, mergeTry }, 0)
    await at.sql.begin((tx) => preparePart(tx, name))
    return name
  }
  const names = async () => (await prepared()).map((row) => row.gid)

  test('are rolled back when their job is over or unknown, and when a later try has begun', async () => {
    const stranger = await part(Bun.randomUUIDv7(), 1)
    const task = await at.accept(figura, await at.write('vivo', first))
    await at.sql`update bulk.job set status = 'processando', stage = 1, merge_try = 2,
      lease_until = now() + interval '1 minute' where id = ${task.job}`
    const earlier = await part(task.job, 1)
    const present = await part(task.job, 2)
    await rollbackOrphans(at.sql, log)
    expect(await names()).toEqual([present])
    expect([stranger, earlier]).not.toContain(present)
    await at.sql`update bulk.job set status = 'erro' where id = ${task.job}`
    await rollbackOrphans(at.sql, log)
    expect(await names()).toEqual([])
  })

  test('are rolled back when their holder fell silent, who then cannot decide any more', async () => {
    const task = await at.accept(figura, await at.write('mudo', first))
    await at.sql`update bulk.job set status = 'processando', stage = 1 where id = ${task.job}`
    const fence = await beginMerge(at.sql, { job: task.job, stage: 1 })
    if (!fence) throw new Error('the job cannot be merged')
    await part(task.job, fence.mergeTry)
    await rollbackOrphans(at.sql, log)
    expect(await names()).toEqual([])
    const stats = allInserted(0)
    expect(await decideMerge(at.sql, fence, { xids: ['1'], stats })).toBe(false)
  })

  test('are left alone once they are decided', async () => {
    const { task, names: decided } = await crashAfterDecision()
    await at.sql`update bulk.job set lease_until = now() where id = ${task.job}`
    await rollbackOrphans(at.sql, log)
    expect(new Set(await names())).toEqual(new Set(decided))
    await at.finish({ kind: 'job', figura: figura.name, job: task.job, ring: 0 })
    expect(await findJob(at.sql, figura.name, task.job)).toMatchObject({ status: 'completo' })
  })
})
