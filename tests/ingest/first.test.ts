import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { readJobLog } from '../../src/db/jobs.ts'
import { insertedInTransaction } from '../../src/db/targets.ts'
import { jobView } from '../../src/api/view.ts'
import { type Figura, type Load, loadOf } from '../../src/figura/types.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'

let at: InProcess
let figura: Figura
let number = 0

beforeAll(async () => {
  at = await startInProcess({ DIRECT_ROWS: '0' })
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => {
  figura = at.figura(`primeira${number++}`, { id: 'bigint', nome: 'text' })
})

const rows = (from: number, count: number, nome = 'nome') =>
  `select i as id, '${nome} ' || i as nome from range(${from}, ${from + count}) t(i)`
const table = async () => [
  ...(await at.sql.unsafe(`select count(*)::int as rows, max(nome) as last from ${figura.name}`)),
]
const wasFirst = async (job: { id: string }) =>
  (await readJobLog(at.sql, job.id, 100)).some((line) => line.data?.first === true)
const load = async (select: string, sha256?: string) => {
  const task = await at.accept(figura, await at.write(`arquivo${number++}`, select, 2048))
  if (sha256) await at.sql`update bulk.job set sha256 = ${sha256} where id = ${task.job}`
  return at.finish(task)
}

test('a file goes into an empty table at once, and the next one by way of a stage', async () => {
  const first = await load(rows(0, 10_000))
  expect(first).toMatchObject({
    status: 'completo',
    stage: null,
    rows: 10_000,
    rowGroups: 5,
    inserted: 10_000,
  })
  expect(first).toMatchObject({ chunksDone: 1, chunksTotal: 1, rowsDone: 10_000, read: 10_000, unchanged: 0 })
  expect(await wasFirst(first)).toBe(true)
  expect(await table()).toMatchObject([{ rows: 10_000, last: 'nome 9999' }])
  const second = await load(rows(5000, 10_000))
  expect(second).toMatchObject({ status: 'completo', stage: 1, inserted: 5000, unchanged: 5000 })
  expect(await wasFirst(second)).toBe(false)
})

test('a repeated or null key is told as by way of a stage, and the table stays empty', async () => {
  const twice = await load(`${rows(0, 10)} union all ${rows(9, 1)}`)
  expect(twice).toMatchObject({ status: 'erro', error: { code: 'key_repeated', count: 1 } })
  const none = await load(`${rows(0, 10)} union all select null, 'x'`)
  expect(none).toMatchObject({ status: 'erro', error: { code: 'key_null', first_rows: [11] } })
  expect(await table()).toMatchObject([{ rows: 0, last: null }])
})

test('a value that does not fit ends the job with its row, and the table stays empty', async () => {
  const job = await load(`${rows(0, 5000)} union all select 5000, 'a' || chr(0)`)
  expect(job).toMatchObject({
    status: 'erro',
    error: { code: 'value_refused', values: [{ first_row: 5001 }] },
  })
  expect(await table()).toMatchObject([{ rows: 0, last: null }])
})

test('a constraint of the table refuses the rows in words', async () => {
  await load(rows(0, 1))
  await at.sql.unsafe(`truncate ${figura.name}; alter table ${figura.name} add check (id < 5)`)
  const job = await load(rows(0, 10))
  expect(job).toMatchObject({ status: 'erro', error: { code: 'table_refused' } })
  expect(await table()).toMatchObject([{ rows: 0, last: null }])
})

describe('a value that PostgreSQL alone refuses is told by its row in the file', () => {
  const refusing = async (column: string) => {
    const [id, nome] = figura.columns
    const load: Load = { ...loadOf(figura), mode: 'append' }
    const columns = [id!, { ...nome!, pattern: '^nome' }]
    figura = { ...figura, key: [], columns, load, rejects: { maxRows: 10, maxPercent: null } }
    await at.sql.unsafe(`create table ${figura.name} (id bigint, nome text, ${column})`)
  }
  const refused = { status: 'erro', error: { code: 'value_refused', row: 3001 } }

  test('where rows before it were left out', async () => {
    await refusing('resto bigint generated always as (1 / (id - 3000)) stored')
    const job = await load(`select i as id, case when i in (7, 2500) then 'x' else 'nome' end as nome
      from range(5000) t(i)`)
    expect(job).toMatchObject(refused)
    expect(job.error?.detail).toContain('in row 3001 (division by zero)')
  })

  test('and not by one that was left out for another value', async () => {
    await refusing('resto bigint generated always as (1 / (id - 3000)) stored')
    const job = await load(`select i as id, case when i = 7 then 'nome' || chr(0) else 'nome' end as nome
      from range(5000) t(i)`)
    expect(job).toMatchObject(refused)
  })

  test('and not by a line of the function that refuses it', async () => {
    await refusing('outro text')
    await at.sql.unsafe(`create function ${figura.name}_f() returns trigger language plpgsql as $$ begin
        new.outro := 1 / (new.id - 3000);
        return new;
      end $$;
      create trigger divides before insert on ${figura.name} for each row execute function ${figura.name}_f()`)
    expect(await load(rows(0, 5000))).toMatchObject(refused)
  })
})

test('a trigger that passes over all the rows is met, where the server counts them', async () => {
  await load(rows(0, 1))
  await at.sql.unsafe(`create function pass_${figura.name}() returns trigger language plpgsql as $$ begin
      return null; end $$;
    truncate ${figura.name};
    create trigger passes before insert on ${figura.name} for each row execute function pass_${figura.name}()`)
  expect(await load(rows(0, 10))).toMatchObject({
    status: 'erro',
    attempts: 1,
    error: { code: 'table_refused', inserted: 0, to_insert: 10 },
  })
  expect(await table()).toMatchObject([{ rows: 0, last: null }])
})

test('rows that the server does not count are not taken for none', async () => {
  const told = (setting: string) =>
    at.sql.begin(async (tx) => {
      await tx.unsafe(`set local track_counts = ${setting}; create table ${figura.name} (id bigint)`)
      await tx.unsafe(`insert into ${figura.name} values (1), (2)`)
      return insertedInTransaction(tx, figura.table)
    })
  expect(await told('off')).toBeNull()
  figura = at.figura(`primeira${number++}`, { id: 'bigint' })
  expect(await told('on')).toBe(2)
})

test('a file with another SHA-256 than announced leaves the table empty', async () => {
  const job = await load(rows(0, 10), 'a'.repeat(64))
  expect(job).toMatchObject({ status: 'erro', error: { code: 'sha256_differs' } })
  expect(await table()).toMatchObject([{ rows: 0, last: null }])
})

test('a file waits its turn by way of a stage while an earlier one of its figura is at work', async () => {
  const earlier = await at.accept(figura, await at.write('cedo', rows(0, 10)))
  await at.sql`update bulk.job set status = 'processando', phase = 'stage', stage = 1,
    lease_until = now() + interval '1 hour' where id = ${earlier.job}`
  expect(await load(rows(0, 10))).toMatchObject({ status: 'processando', phase: 'wait', stage: 1 })
})

test('a job that was lost while it loaded leaves nothing in the table', async () => {
  await load(rows(0, 1))
  const trigger = `create function lose_${figura.name}() returns trigger language plpgsql as $$ begin
      perform pg_sleep(0.3); return new; end $$;
    truncate ${figura.name};
    create trigger slow before insert on ${figura.name} for each row when (new.id = 0)
      execute function lose_${figura.name}()`
  await at.sql.unsafe(trigger)
  const task = await at.accept(figura, await at.write('perdido', rows(0, 10)))
  const running = at.ingest.run(task)
  await Bun.sleep(150)
  await at.sql`update bulk.job set attempts = attempts + 1 where id = ${task.job}`
  expect(await running).toEqual({ kind: 'done', release: [] })
  expect(await table()).toMatchObject([{ rows: 0, last: null }])
})

test('the percent of such a job is that of its rows, and never 100 before its end', async () => {
  const job = await load(rows(0, 10))
  const working = { ...job, status: 'processando' as const, phase: 'merge' as const }
  expect(jobView({ ...working, rowsDone: 5 }).progress.percent).toBe(49.5)
  expect(jobView(working).progress.percent).toBe(99)
  expect(jobView(job).progress.percent).toBe(100)
})

test('a job that is tried anew is planned again, and says so when its file is gone', async () => {
  await load(rows(0, 1))
  await at.sql.unsafe(`truncate ${figura.name};
    create function full_${figura.name}() returns trigger language plpgsql as $$ begin
      raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
    create trigger no_room before insert on ${figura.name} for each row execute function full_${figura.name}()`)
  const task = await at.accept(figura, await at.write('cheio', rows(0, 10)))
  expect(await at.ingest.run(task)).toMatchObject({ kind: 'again' })
  const [held] =
    await at.sql`update bulk.job set lease_until = now(), url = url || '-gone' where id = ${task.job}
    returning phase`
  expect(held?.phase).toBe('merge')
  const error = { code: 'source_missing', phase: 'plan' }
  expect(await at.finish(task)).toMatchObject({ status: 'erro', error })
})
