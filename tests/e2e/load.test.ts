import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseFigura } from '../../src/figura/load.ts'
import { compareTable } from '../support/compare.ts'
import { everyTypeSelect, writeEveryTypeFigura } from '../support/every-type.ts'
import { writeParquet } from '../support/parquet.ts'
import {
  freshBucket,
  freshDatabase,
  freshFolder,
  freshStream,
  type FreshBucket,
  type FreshDatabase,
} from '../support/servers.ts'
import { startService, until, type Service } from '../support/service.ts'

const folder = freshFolder()
const figuras = join(folder.path, 'figuras')
let database: FreshDatabase
let bucket: FreshBucket
let service: Service

beforeAll(async () => {
  mkdirSync(figuras)
  ;[database, bucket] = await Promise.all([freshDatabase(), freshBucket()])
  service = await startService({ databaseUrl: database.url, stream: freshStream(), figurasDir: figuras })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

describe('a million rows of every type, in 8 row groups', () => {
  const rows = 1_000_000
  const file = join(folder.path, 'tudo.parquet')

  test('arrive value by value as DuckDB reads them from the file', async () => {
    writeEveryTypeFigura(figuras, 'tudo', bucket.url(''))
    await writeParquet(file, everyTypeSelect(rows), { rowGroupRows: 125_000 })
    await bucket.put('tudo.parquet', { file })
    const sha256 = new Bun.CryptoHasher('sha256').update(await Bun.file(file).arrayBuffer()).digest('hex')
    const job = await service.load('tudo', bucket.url('tudo.parquet'), { sha256 })
    expect(job).toMatchObject({
      status: 'completo',
      error: null,
      attempts: 1,
      source: { rows, row_groups: 8, bytes: Bun.file(file).size },
      progress: { percent: 100, rows: { done: rows, total: rows } },
      stats: { read: rows, inserted: rows, updated: 0, unchanged: 0 },
    })
    expect(Number((job.progress as { chunks: { total: number } }).chunks.total)).toBeGreaterThan(2)
    const compared = await compareTable(database.sql, figura('tudo'), { file, folder: folder.path })
    expect(compared).toEqual({ rows, onlyInFile: [], onlyInTable: [], different: [] })
  }, 240_000)

  test('sent again change nothing, and are told to be unchanged', async () => {
    const job = await service.load('tudo', bucket.url('tudo.parquet'))
    expect(job).toMatchObject({
      status: 'completo',
      stats: { read: rows, inserted: 0, updated: 0, unchanged: rows },
    })
  })

  test('were staged by both threads, and nothing of it is left behind', async () => {
    const threads = await database.sql`
      select distinct thread from bulk.job_log where message like 'chunk % is staged' order by thread`
    expect(threads.map((row) => row.thread)).toEqual([0, 1])
    const left = await database.sql`
      select (select count(*)::int from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'bulk_stage')
        + (select count(*)::int from bulk.chunk) as left`
    expect(left[0]?.left).toBe(0)
  })
})

test('the comparison can fail: one bit of one value is seen, and mended by sending the file again', async () => {
  writeEveryTypeFigura(figuras, 'pouco', bucket.url(''))
  await send('pouco', 'a', everyTypeSelect(1000))
  const file = join(folder.path, 'pouco-a.parquet')
  await database.sql`update pouco set dupla = dupla * (1 + 1e-15::float8) where id = 777`
  const spoilt = await compareTable(database.sql, figura('pouco'), { file, folder: folder.path })
  expect([spoilt.onlyInFile, spoilt.onlyInTable]).toMatchObject([[{ key: '777' }], [{ key: '777' }]])
  const job = await service.load('pouco', bucket.url('pouco-a.parquet'))
  expect(job.stats).toEqual({ read: 1000, inserted: 0, updated: 1, unchanged: 999 })
})

test('texts, bytes and JSON of a megabyte in the middle of a file arrive whole', async () => {
  writeFigura(
    'longos',
    `  id: { type: bigint }\n  t: { type: text }\n  b: { type: bytea }\n  j: { type: jsonb }`,
  )
  const at = 'i between 5000 and 5010'
  await send(
    'longos',
    'a',
    `select i as id,
       case when ${at} then repeat('ção ' || i, 100000) else 'curto ' || i end as t,
       case when ${at} then encode(repeat('b' || i, 150000)) else unhex('00ff') end as b,
       case when ${at} then '["' || repeat('j', 500000) || '"]' else '{}' end as j
     from range(9000) t(i)`,
  )
  const file = join(folder.path, 'longos-a.parquet')
  const compared = await compareTable(database.sql, figura('longos'), { file, folder: folder.path })
  expect(compared).toEqual({ rows: 9000, onlyInFile: [], onlyInTable: [], different: [] })
})

describe('a file that is changed', () => {
  test('inserts what is new, updates what differs, and leaves alone what is equal', async () => {
    writeFigura('itens', `  id: { type: bigint }\n  nome: { type: text }\n  preco: { type: 'numeric(10,2)' }`)
    const first = await send(
      'itens',
      'a',
      `select i as id, 'n' || i as nome, (i / 100)::decimal(10,2) as preco from range(1000) t(i)`,
    )
    expect(first.stats).toEqual({ read: 1000, inserted: 1000, updated: 0, unchanged: 0 })
    const second = await send(
      'itens',
      'b',
      `select i as id, case when i < 500 then 'n' || i else 'novo' end as nome, (i / 100)::decimal(10,2) as preco
       from range(400, 1100) t(i)`,
    )
    expect(second.stats).toEqual({ read: 700, inserted: 100, updated: 500, unchanged: 100 })
    const [table] =
      await database.sql`select count(*)::int as rows, count(*) filter (where nome = 'novo')::int as new from itens`
    expect(table).toEqual({ rows: 1100, new: 600 })
  })

  test('that lacks an optional column leaves its values in the table', async () => {
    writeFigura('parcial', `  id: { type: bigint }\n  nome: { type: text }\n  nota: { type: text }`)
    await send('parcial', 'a', `select i as id, 'n' as nome, 'x' as nota from range(10) t(i)`)
    const job = await send('parcial', 'b', `select i as id, 'm' as nome from range(10) t(i)`)
    expect(job.stats).toMatchObject({ updated: 10 })
    const rows = await database.sql`select distinct nome, nota from parcial`
    expect([...rows]).toEqual([{ nome: 'm', nota: 'x' }])
  })

  test('with no rows is complete, and changes nothing', async () => {
    writeFigura('vazio', `  id: { type: bigint }\n  nome: { type: text }`)
    const job = await send('vazio', 'a', `select i as id, 'n' as nome from range(0) t(i)`)
    expect(job).toMatchObject({
      status: 'completo',
      stats: { read: 0, inserted: 0, updated: 0, unchanged: 0 },
    })
  })
})

describe('a file that must not be loaded ends in erro with the table untouched', () => {
  const column = `  id: { type: bigint }\n  nome: { type: varchar(5), required: true }\n  extra: { type: jsonb }`

  test.each([
    [
      'a null key',
      'key_null',
      `select case when i in (3, 7) then null else i end as id, 'n' as nome from range(20) t(i)`,
      'found 2 row(s) where it is null, the first in row 4, 8',
    ],
    [
      'a repeated key',
      'key_repeated',
      `select i // 2 as id, 'n' as nome from range(20) t(i)`,
      'found 10 key(s) that stand in 20 rows (0 in rows 1 and 2;',
    ],
    [
      'a null in a required column',
      'required_null',
      `select i as id, case when i = 4 then null else 'n' end as nome from range(20) t(i)`,
      'found 1 null(s) in rows 1 to 20, the first in row 5',
    ],
    [
      'a text that is too long',
      'value_refused',
      `select i as id, repeat('x', i::int) as nome from range(1, 9) t(i)`,
      'found longer text in 3 row(s) of a chunk, the first in row 6, expected at most 5 characters',
    ],
    [
      'a text with a NUL',
      'value_refused',
      `select i as id, case when i = 2 then 'a' || chr(0) else 'n' end as nome from range(9) t(i)`,
      'found text with a NUL character in 1 row(s) of a chunk, the first in row 3',
    ],
    [
      'text that is no JSON',
      'value_refused',
      `select i as id, 'n' as nome, case when i = 5 then '{' else '{}' end as extra from range(9) t(i)`,
      'found text that is not JSON in 1 row(s) of a chunk, the first in row 6',
    ],
    [
      'a column of the wrong type',
      'schema_differs',
      `select i::varchar as id, 1 as nome from range(9) t(i)`,
      'found 2 column(s) that do not fit (id, nome)',
    ],
  ])('%s', async (_what, code, select, sentence) => {
    const name = `erro_${crypto.randomUUID().slice(0, 8)}`
    writeFigura(name, column)
    await send(name, 'good', `select i as id, 'velho' as nome from range(5) t(i)`)
    const job = await send(name, 'bad', select)
    expect(job.status).toBe('erro')
    expect(job.error).toMatchObject({ code })
    expect(String((job.error as { detail: string }).detail)).toContain(sentence)
    const [table] =
      await database.sql`select count(*)::int as rows, min(nome) as nome, max(nome) as last from ${database.sql(name)}`
    expect(table).toEqual({ rows: 5, nome: 'velho', last: 'velho' })
    const next = await send(name, 'next', `select i as id, 'novo' as nome from range(5) t(i)`)
    expect(next).toMatchObject({ status: 'completo', stats: { updated: 5 } })
  })

  test('a file that is not parquet, one that is not there, and one with another SHA-256', async () => {
    writeFigura('formato', column)
    await bucket.put('texto.parquet', 'id,nome\n1,a\n')
    expect((await service.load('formato', bucket.url('texto.parquet'))).error).toMatchObject({
      code: 'file_not_parquet',
    })
    expect((await service.load('formato', bucket.url('nao-existe.parquet'))).error).toMatchObject({
      code: 'source_missing',
    })
    const file = join(folder.path, 'sha.parquet')
    await writeParquet(file, `select i as id, 'n' as nome from range(5) t(i)`)
    await bucket.put('sha.parquet', { file })
    const job = await service.load('formato', bucket.url('sha.parquet'), { sha256: '0'.repeat(64) })
    expect(job.error).toMatchObject({ code: 'sha256_differs', expected: '0'.repeat(64) })
  })

  test('a table that differs from the figura stops that figura alone, and says what would mend it', async () => {
    await database.sql`create table alheia (id bigint primary key, nome integer)`
    writeFigura('alheia', `  id: { type: bigint }\n  nome: { type: text }\n  nota: { type: text }`)
    const job = await send('alheia', 'a', `select i as id, 'n' as nome, 'x' as nota from range(5) t(i)`)
    expect(job.error).toMatchObject({ code: 'target_differs' })
    const { differences } = job.error as { differences: { column: string; fix: string }[] }
    expect(differences.map((difference) => difference.column)).toEqual(['nome', 'nota'])
    expect(differences[1]?.fix).toContain('add column "nota" text')
    writeFigura('vizinha', `  id: { type: bigint }`)
    expect(await send('vizinha', 'a', `select i as id from range(5) t(i)`)).toMatchObject({
      status: 'completo',
    })
  })
})

test('jobs of one figura merge in the order in which they were accepted, large before small', async () => {
  writeFigura('ordem', `  id: { type: bigint }\n  nome: { type: text }`)
  const sizes = [300_000, 1000, 100_000, 10]
  const urls: string[] = []
  for (const [at, rows] of sizes.entries()) {
    const file = join(folder.path, `ordem-${at}.parquet`)
    await writeParquet(file, `select i as id, 'job ${at}' as nome from range(${rows}) t(i)`, {
      rowGroupRows: 20_480,
    })
    await bucket.put(`ordem-${at}.parquet`, { file })
    urls.push(bucket.url(`ordem-${at}.parquet`))
  }
  const accepted = []
  for (const url of urls) accepted.push(await service.put('/ordem/_bulk', { url }))
  const jobs = await Promise.all(accepted.map((one) => service.ended(String(one.body.status_url))))
  expect(jobs.map((job) => job.status)).toEqual(sizes.map(() => 'completo'))
  const finished = jobs.map((job) => String(job.finished_at))
  expect(finished).toEqual([...finished].sort())
  const rows = await database.sql`select nome, count(*)::int as rows from ordem group by nome order by nome`
  expect([...rows]).toEqual([
    { nome: 'job 0', rows: 200_000 },
    { nome: 'job 2', rows: 99_990 },
    { nome: 'job 3', rows: 10 },
  ])
})

test('a presigned URL is read, and its signature is shown nowhere', async () => {
  writeFigura('assinada', `  id: { type: bigint }`, await presignedPrefix())
  const file = join(folder.path, 'assinada.parquet')
  await writeParquet(file, `select i as id from range(5) t(i)`)
  await bucket.put('assinada.parquet', { file })
  const url = await bucket.presign('assinada.parquet')
  const job = await service.load('assinada', url)
  expect(job).toMatchObject({ status: 'completo', source: { url: url.replace(/\?.*/, '') } })
  const signature = new URL(url).searchParams.get('X-Amz-Signature') ?? ''
  expect(signature).toHaveLength(64)
  const log = await service.get(`/assinada/_bulk/${job.id}/log`)
  expect(JSON.stringify([job, log.body, service.lines])).not.toContain(signature)
})

test('a figura that is dropped into the folder is served without a restart', async () => {
  expect((await service.put('/tardia/_bulk', { url: bucket.url('x.parquet') })).status).toBe(404)
  writeFigura('tardia', `  id: { type: bigint }`)
  await until('it is served', async () =>
    (await service.get('/figuras/tardia')).status === 200 ? true : undefined,
  )
  expect(await send('tardia', 'a', `select i as id from range(5) t(i)`)).toMatchObject({ status: 'completo' })
})

async function presignedPrefix(): Promise<string> {
  return new URL('.', (await bucket.presign('x')).replace(/\?.*/, '')).href
}

function writeFigura(name: string, columns: string, source = bucket.url('')): void {
  const text = `description: ${name}\ntable: public.${name}\nkey: [id]\ncolumns:\n${columns}\nsources: ['${source}']\n`
  writeFileSync(join(figuras, `${name}.yaml`), text)
}

async function send(name: string, key: string, select: string): Promise<Record<string, unknown>> {
  const file = join(folder.path, `${name}-${key}.parquet`)
  await writeParquet(file, select)
  await bucket.put(`${name}-${key}.parquet`, { file })
  return service.load(name, bucket.url(`${name}-${key}.parquet`))
}

function figura(name: string) {
  const parsed = parseFigura(name, readFileSync(join(figuras, `${name}.yaml`), 'utf8'))
  if (!('figura' in parsed)) throw new Error(JSON.stringify(parsed.errors))
  return parsed.figura
}
