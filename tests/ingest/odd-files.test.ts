import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { openIngest } from '../../src/ingest/ingest.ts'
import { duck } from '../support/parquet.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'
import { until } from '../support/service.ts'

let service: InProcess

beforeAll(async () => {
  service = await startInProcess({ CHUNK_ROWS: '2048', FIRST_LOAD_ROWS: '0', DUCKDB_MEMORY_MB: '64' })
})
afterAll(() => service[Symbol.asyncDispose]())

describe('a job ends in erro at the first try', () => {
  test('when two columns of the file differ in case alone, rather than loading one of them by chance', async () => {
    const path = `${service.folder}/gemeas.parquet`
    const connection = await duck()
    await connection.run(
      `copy (select 1::bigint as id, 'wrong' as "NOME", 'right' as "nomX") to '${path}'
       (format parquet, compression uncompressed)`,
    )
    connection.closeSync()
    // DuckDB does not write such a file, others do
    writeFileSync(path, readFileSync(path, 'latin1').replaceAll('nomX', 'nome'), 'latin1')
    const figura = service.figura('gemeas', { id: 'bigint', nome: 'text' })
    expect(await service.load(figura, path)).toMatchObject({
      status: 'erro',
      error: { code: 'schema_differs', differences: [{ column: 'nome' }] },
      putBack: [],
    })
  })

  test('when a repeated key has a NUL in it', async () => {
    const select = `select 'a' || chr(0) || 'b' as id from range(2)`
    const figura = service.figura('nulos', { id: 'text' })
    expect(await service.load(figura, await service.write('nulos', select))).toMatchObject({
      status: 'erro',
      error: { code: 'key_repeated', examples: [{ key: { id: 'a\ufffdb' } }] },
      putBack: [],
    })
  })

  test('when every one of millions of keys is null, in little memory', async () => {
    const select = `select null::bigint as id from range(12_000_000)`
    const figura = service.figura('sem_chave', { id: 'bigint' })
    const task = await service.accept(figura, await service.write('sem_chave', select, 1_000_000))
    const planned = await service.ingest.run(task)
    const keys = planned.kind === 'done' && planned.release[0]
    if (!keys) throw new Error('not planned')
    expect((await service.ingest.run(keys)).kind).toBe('done')
    const [job] = await service.sql`select status, error from bulk.job where id = ${task.job}`
    expect(job).toMatchObject({
      status: 'erro',
      error: { code: 'key_null', count: 12_000_000, first_rows: [1, 2, 3, 4, 5] },
    })
  })

  test('when a row is larger than a page of PostgreSQL', async () => {
    const names = Array.from({ length: 1100 }, (_, at) => `c${at}`)
    const types = Object.fromEntries(names.map((name) => [name, 'bigint']))
    const select = `select ${names.map((name) => `1::bigint as ${name}`).join(', ')}`
    const job = await service.load(service.figura('largo', types), await service.write('largo', select))
    expect(job).toMatchObject({ status: 'erro', error: { code: 'table_refused' }, putBack: [] })
  })

  test('when a key is too long for the index', async () => {
    const select = `select string_agg(md5(i::varchar), '') as id from range(1000) t(i)`
    const job = await service.load(
      service.figura('comprido', { id: 'text' }),
      await service.write('comprido', select),
    )
    expect(job).toMatchObject({ status: 'erro', error: { code: 'table_refused' }, putBack: [] })
  })
})

test('texts of any size are read from a file of 1,000 columns of text', async () => {
  const names = Array.from({ length: 1000 }, (_, at) => `c${at}`)
  const types = { id: 'bigint', ...Object.fromEntries(names.map((name) => [name, 'text'])) }
  const values = names.map((name, at) => `${at === 0 ? `repeat('x', 200_000)` : `'v'`} as ${name}`)
  const path = await service.write('colunas', `select i as id, ${values.join(', ')} from range(20) t(i)`)
  await using roomy = await startInProcess()
  const job = await roomy.load(roomy.figura('colunas', types), path)
  expect(job).toMatchObject({ status: 'completo', inserted: 20 })
})

test('a merge that fails for the moment, right after the last chunk, is tried again by itself', async () => {
  await service.sql.unsafe(`
    create table adiada (id bigint primary key);
    create sequence adiada_vez;
    create function adiada_falha() returns trigger language plpgsql as $$ begin
      if nextval('adiada_vez') = 1 then raise exception 'not now' using errcode = '40001'; end if;
      return new;
    end $$;
    create trigger falha before insert on adiada for each row execute function adiada_falha()`)
  const path = await service.write('adiada', `select i as id from range(4096) t(i)`, 2048)
  expect(await service.load(service.figura('adiada', { id: 'bigint' }), path)).toMatchObject({
    status: 'completo',
    inserted: 4096,
    attempts: 2,
    // the merge's own doorbell comes before the pause between two tries is over
    putBack: ['somebody works on the job, or it has to wait before the next try'],
  })
})

test('a chunk that a thread has lost, and still works on, is done by another thread of the process', async () => {
  const { sql, config } = service
  const path = await service.write('zumbi', `select i as id from range(4096) t(i)`, 2048)
  const task = await service.accept(service.figura('zumbi', { id: 'bigint' }), path)
  const planned = await service.ingest.run(task)
  const tasks = planned.kind === 'done' ? planned.release : []
  const chunk = tasks.find((one) => one.kind === 'chunk' && one.chunk === 1)
  if (!chunk) throw new Error('not planned')
  const other = await openIngest(config, 1, () => {})
  const claimed = (times: number) =>
    until('the chunk is claimed', async () => {
      const [row] = await sql`select claims from bulk.chunk where job = ${task.job} and no = 1`
      return row?.claims === times ? true : undefined
    })
  // who holds the stage makes the COPY of the first thread wait
  const ran = await sql.begin(async (tx) => {
    await tx.unsafe(`lock table bulk_stage.j_${task.job.replaceAll('-', '')}_1 in exclusive mode`)
    const first = service.ingest.run(chunk)
    await claimed(1)
    await sql`update bulk.chunk set held_until = now() where job = ${task.job} and no = 1`
    const second = other.run(chunk)
    await claimed(2)
    return [first, second]
  })
  const outcomes = await Promise.all(ran)
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(['done', 'done'])
  for (const one of tasks) if (one !== chunk) await service.ingest.run(one)
  const rest = outcomes.flatMap((outcome) => (outcome.kind === 'done' ? outcome.release : []))
  for (const one of rest) await service.ingest.run(one)
  await other.close()
  const [job] = await sql`select status, inserted::int from bulk.job where id = ${task.job}`
  expect(job).toMatchObject({ status: 'completo', inserted: 4096 })
})

test('a file whose pages do not fit into memory ends its job at once, and says what would help', async () => {
  const nome = Array.from({ length: 24 }, (_, at) => `md5((i * 31 + ${at})::varchar)`).join(' || ')
  const select = `select i as id, ${nome} as nome from range(120000) t(i)`
  const path = await service.write('pagina_enorme', select, 200_000)
  const job = await service.load(service.figura('pagina_enorme', { id: 'bigint', nome: 'text' }), path)
  expect(job).toMatchObject({ status: 'erro', attempts: 1, error: { code: 'file_too_large' } })
  expect(job.error?.detail).toContain('DUCKDB_MEMORY_MB')
})
