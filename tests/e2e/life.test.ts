import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type InProcess, startInProcess } from '../support/in-process.ts'
import { LIFE, mayBecome, STATES, type State } from '../../src/life.ts'

let rig: InProcess

beforeAll(async () => {
  rig = await startInProcess({
    DIRECT_ROWS: '100',
    FIRST_LOAD_ROWS: '1000',
    CHUNK_ROWS: '2048',
    MERGE_PART_ROWS: '2048',
  })
  await rig.sql.unsafe(`
    create table change (job uuid, "from" text, "to" text);
    create function state(one bulk.job) returns text language sql as $$
      select case when one.status <> 'processando' then one.status
        when one.decision is not null then 'decided' else one.phase end $$;
    create function note() returns trigger language plpgsql as $$ begin
      insert into change values (new.id, state(old), state(new));
      return null; end $$;
    create trigger note after update on bulk.job for each row
      when (state(old.*) is distinct from state(new.*)) execute function note()`)
})
afterAll(() => rig[Symbol.asyncDispose]())

test('whatever way a job takes, it changes only as the table of its life says', async () => {
  const { figura, write, load, sql } = rig
  const small = await write('small', 'select i as id from range(50) t(i)')
  const middle = await write('middle', 'select i as id from range(1000) t(i)')
  const large = await write('large', 'select i as id from range(10000) t(i)', 2048)
  const other = await write('other', 'select i + 20000 as id from range(50) t(i)')
  const broken = await write('broken', `select 1 as outra`)
  const doubled = await write('doubled', `select 1 as id from range(1000)`)
  const of = figura('vida', { id: 'bigint' })
  for (const path of [small, middle, large]) expect((await load(of, path)).status).toBe('completo')
  expect((await load(figura('primeira', { id: 'bigint' }), middle)).status).toBe('completo')
  expect((await load(of, broken)).status).toBe('erro')
  // its table refuses it at once; by way of a stage it is known why
  expect((await load(figura('dobrada', { id: 'bigint' }), doubled)).status).toBe('erro')
  expect((await load(of, [other, large])).status).toBe('completo')

  const seen = await sql<{ from: State; to: State }[]>`select distinct "from", "to" from change`
  for (const { from, to } of seen) expect([from, to, mayBecome(from, to)]).toEqual([from, to, true])
  const ways = seen.map(({ from, to }) => `${from} ${to}`)
  const direct = [
    'enfileirado plan',
    'plan completo',
    'plan merge',
    'merge completo',
    'plan stage',
    'stage merge',
  ]
  for (const way of [...direct, 'merge decided', 'decided completo', 'plan erro']) expect(ways).toContain(way)
})

test('the table can be broken: a change that it does not have is seen', () => {
  expect(mayBecome('completo', 'erro')).toBe(false)
  expect(mayBecome('decided', 'cancelado')).toBe(false)
  for (const state of STATES)
    if (!['completo', 'erro', 'cancelado', 'decided'].includes(state)) {
      expect(LIFE[state]).toHaveProperty('cancel', 'cancelado')
    }
})
