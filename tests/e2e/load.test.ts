import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { compareTable } from '../support/compare.ts'
import { everyTypeSelect, writeEveryTypeFigura } from '../support/every-type.ts'
import { writeParquet } from '../support/parquet.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { until } from '../support/service.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig[Symbol.asyncDispose]())

describe('a million rows of every type, in 8 row groups', () => {
  const rows = 1_000_000
  const file = () => join(rig.folder, 'tudo.parquet')

  test('arrive value by value as DuckDB reads them from the file', async () => {
    writeEveryTypeFigura(rig.figuras, 'tudo', rig.bucket.url(''))
    await rig.putFile('tudo', everyTypeSelect(rows), { rowGroupRows: 125_000 })
    const sha256 = new Bun.CryptoHasher('sha256').update(await Bun.file(file()).arrayBuffer()).digest('hex')
    const job = await rig.service.load('tudo', rig.bucket.url('tudo.parquet'), { sha256 })
    expect(job).toMatchObject({
      status: 'completo',
      error: null,
      attempts: 1,
      source: { rows, row_groups: 8, bytes: Bun.file(file()).size },
      progress: { percent: 100, rows: { done: rows, total: rows } },
      stats: { read: rows, inserted: rows, updated: 0, unchanged: 0 },
    })
    // into the empty table without a stage
    expect(job.progress).toMatchObject({ chunks: { done: 1, total: 1 } })
    const compared = await compareTable(rig.sql, rig.figura('tudo'), { file: file(), folder: rig.folder })
    expect(compared).toEqual({ rows, onlyInFile: [], onlyInTable: [], different: [] })
  }, 240_000)

  test('sent again change nothing, and are told to be unchanged', async () => {
    const job = await rig.service.load('tudo', rig.bucket.url('tudo.parquet'))
    expect(job).toMatchObject({
      status: 'completo',
      stats: { read: rows, inserted: 0, updated: 0, unchanged: rows },
    })
    expect(Number((job.progress as { chunks: { total: number } }).chunks.total)).toBeGreaterThan(2)
  })

  test('were staged by both threads, and nothing of it is left behind', async () => {
    const threads = await rig.sql`
      select distinct thread from bulk.job_log where message like 'chunk % is staged' order by thread`
    expect(threads.map((row) => row.thread)).toEqual([0, 1])
    const left = await rig.sql`
      select (select count(*)::int from pg_class where relnamespace = 'bulk_stage'::regnamespace)
        + (select count(*)::int from bulk.chunk) as left`
    expect(left[0]?.left).toBe(0)
  })
})

test('the comparison can fail: one bit of one value is seen, and mended by sending the file again', async () => {
  writeEveryTypeFigura(rig.figuras, 'pouco', rig.bucket.url(''))
  await rig.send('pouco', 'a', everyTypeSelect(1000))
  const file = join(rig.folder, 'pouco-a.parquet')
  await rig.sql`update pouco set dupla = dupla * (1 + 1e-15::float8) where id = 777`
  const spoilt = await compareTable(rig.sql, rig.figura('pouco'), { file, folder: rig.folder })
  expect([spoilt.onlyInFile, spoilt.onlyInTable]).toMatchObject([[{ key: '777' }], [{ key: '777' }]])
  const job = await rig.service.load('pouco', rig.bucket.url('pouco-a.parquet'))
  expect(job.stats).toMatchObject({ read: 1000, inserted: 0, updated: 1, unchanged: 999 })
})

test('texts, bytes and JSON of a megabyte in the middle of a file arrive whole', async () => {
  rig.writeFigura(
    'longos',
    `  id: { type: bigint }\n  t: { type: text }\n  b: { type: bytea }\n  j: { type: jsonb }`,
  )
  const at = 'i between 5000 and 5010'
  await rig.send(
    'longos',
    'a',
    `select i as id,
       case when ${at} then repeat('ção ' || i, 100000) else 'curto ' || i end as t,
       case when ${at} then encode(repeat('b' || i, 150000)) else unhex('00ff') end as b,
       case when ${at} then '["' || repeat('j', 500000) || '"]' else '{}' end as j
     from range(9000) t(i)`,
  )
  const file = join(rig.folder, 'longos-a.parquet')
  const compared = await compareTable(rig.sql, rig.figura('longos'), { file, folder: rig.folder })
  expect(compared).toEqual({ rows: 9000, onlyInFile: [], onlyInTable: [], different: [] })
})

describe('a file that is changed', () => {
  test('inserts what is new, updates what differs, and leaves alone what is equal', async () => {
    rig.writeFigura(
      'itens',
      `  id: { type: bigint }\n  nome: { type: text }\n  preco: { type: 'numeric(10,2)' }`,
    )
    const first = await rig.send(
      'itens',
      'a',
      `select i as id, 'n' || i as nome, (i / 100)::decimal(10,2) as preco from range(1000) t(i)`,
    )
    expect(first.stats).toMatchObject({ read: 1000, inserted: 1000, updated: 0, unchanged: 0 })
    const second = await rig.send(
      'itens',
      'b',
      `select i as id, case when i < 500 then 'n' || i else 'novo' end as nome, (i / 100)::decimal(10,2) as preco
       from range(400, 1100) t(i)`,
    )
    expect(second.stats).toMatchObject({ read: 700, inserted: 100, updated: 500, unchanged: 100 })
    const [table] =
      await rig.sql`select count(*)::int as rows, count(*) filter (where nome = 'novo')::int as new from itens`
    expect(table).toEqual({ rows: 1100, new: 600 })
  })

  test('that lacks an optional column leaves its values in the table', async () => {
    rig.writeFigura('parcial', `  id: { type: bigint }\n  nome: { type: text }\n  nota: { type: text }`)
    await rig.send('parcial', 'a', `select i as id, 'n' as nome, 'x' as nota from range(10) t(i)`)
    const job = await rig.send('parcial', 'b', `select i as id, 'm' as nome from range(10) t(i)`)
    expect(job.stats).toMatchObject({ updated: 10 })
    const rows = await rig.sql`select distinct nome, nota from parcial`
    expect([...rows]).toEqual([{ nome: 'm', nota: 'x' }])
  })

  test('with no rows is complete, and changes nothing', async () => {
    rig.writeFigura('vazio', `  id: { type: bigint }\n  nome: { type: text }`)
    const job = await rig.send('vazio', 'a', `select i as id, 'n' as nome from range(0) t(i)`)
    expect(job).toMatchObject({
      status: 'completo',
      stats: { read: 0, inserted: 0, updated: 0, unchanged: 0 },
    })
  })
})

test('jobs of one figura merge in the order in which they were accepted, large before small', async () => {
  rig.writeFigura('ordem', `  id: { type: bigint }\n  nome: { type: text }`)
  const sizes = [300_000, 1000, 100_000, 10]
  const urls: string[] = []
  for (const [at, rows] of sizes.entries()) {
    const file = join(rig.folder, `ordem-${at}.parquet`)
    await writeParquet(file, `select i as id, 'job ${at}' as nome from range(${rows}) t(i)`, {
      rowGroupRows: 20_480,
    })
    await rig.bucket.put(`ordem-${at}.parquet`, { file })
    urls.push(rig.bucket.url(`ordem-${at}.parquet`))
  }
  const accepted = []
  for (const url of urls) accepted.push(await rig.service.put('/ordem/_bulk', { url }))
  const jobs = await Promise.all(accepted.map((one) => rig.service.ended(String(one.body.status_url))))
  expect(jobs.map((job) => job.status)).toEqual(sizes.map(() => 'completo'))
  const finished = jobs.map((job) => String(job.finished_at))
  expect(finished).toEqual([...finished].sort())
  const rows = await rig.sql`select nome, count(*)::int as rows from ordem group by nome order by nome`
  expect([...rows]).toEqual([
    { nome: 'job 0', rows: 200_000 },
    { nome: 'job 2', rows: 99_990 },
    { nome: 'job 3', rows: 10 },
  ])
})

test('a presigned URL is read, and its signature is shown nowhere', async () => {
  rig.writeFigura('assinada', `  id: { type: bigint }`, await presignedPrefix())
  const file = join(rig.folder, 'assinada.parquet')
  await writeParquet(file, `select i as id from range(5) t(i)`)
  await rig.bucket.put('assinada.parquet', { file })
  const url = await rig.bucket.presign('assinada.parquet')
  const job = await rig.service.load('assinada', url)
  expect(job).toMatchObject({ status: 'completo', source: { url: url.replace(/\?.*/, '') } })
  const signature = new URL(url).searchParams.get('X-Amz-Signature') ?? ''
  expect(signature).toHaveLength(64)
  const log = await rig.service.get(`/assinada/_bulk/${job.id}/log`)
  expect(JSON.stringify([job, log.body, rig.service.lines])).not.toContain(signature)
})

test('a figura that is dropped into the folder is served without a restart', async () => {
  expect((await rig.service.put('/tardia/_bulk', { url: rig.bucket.url('x.parquet') })).status).toBe(404)
  rig.writeFigura('tardia', `  id: { type: bigint }`)
  await until('it is served', async () =>
    (await rig.service.get('/figuras/tardia')).status === 200 ? true : undefined,
  )
  expect(await rig.send('tardia', 'a', `select i as id from range(5) t(i)`)).toMatchObject({
    status: 'completo',
  })
})

async function presignedPrefix(): Promise<string> {
  return new URL('.', (await rig.bucket.presign('x')).replace(/\?.*/, '')).href
}
