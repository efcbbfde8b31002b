import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeParquet } from '../support/parquet.ts'
import { freshBucket, freshDatabase, freshFolder, freshStream } from '../support/servers.ts'
import { startService, until } from '../support/service.ts'

const FIGURAS = ['pequena', 'outra', 'grande']

test('a rolling restart under load loses nothing, costs no attempt, and the work goes on within 5 s', async () => {
  using folder = freshFolder()
  await using database = await freshDatabase()
  const bucket = await freshBucket()
  const figurasDir = join(folder.path, 'figuras')
  mkdirSync(figurasDir)
  for (const name of FIGURAS) {
    const columns = 'columns:\n  id: { type: bigint }\n  nome: { type: text }\n'
    const text = `description: ${name}\ntable: public.${name}\nkey: [id]\n${columns}`
    writeFileSync(join(figurasDir, `${name}.yaml`), `${text}sources: ['${bucket.url('')}']\n`)
    const path = join(folder.path, `${name}.parquet`)
    const rows = name === 'grande' ? 120_000 : 500
    await writeParquet(path, `select i as id, 'nome ' || i as nome from range(${rows}) t(i)`, {
      rowGroupRows: 20_480,
    })
    await bucket.put(`${name}.parquet`, { file: path })
  }
  const common = { databaseUrl: database.url, stream: freshStream(), figurasDir }
  const bounds = { CHUNK_ROWS: '20480', FIRST_LOAD_ROWS: '0', LEASE_SECONDS: '60' }
  const node = (name: string) =>
    startService({ ...common, env: { ...bounds, ROLE: 'worker', NODE_NAME: name, WORKER_THREADS: '1' } })
  await using api = await startService({ ...common, env: { ROLE: 'api' } })
  const nodes = await Promise.all(['a', 'b'].map(node))

  let feeding = true
  const feed = async () => {
    for (let sent = 0; feeding; sent++) {
      const name = FIGURAS[sent % 12 === 0 ? 2 : sent % 2] ?? ''
      const { status } = await api.put(`/${name}/_bulk`, { url: bucket.url(`${name}.parquet`) })
      expect(status).toBe(202)
      await Bun.sleep(100)
    }
  }
  const fed = feed()
  try {
    await Bun.sleep(1500)
    for (const [at, name] of ['a', 'b'].entries()) {
      await nodes[at]?.stop()
      nodes[at] = await node(name)
      await Bun.sleep(1500)
    }
  } finally {
    feeding = false
    await fed
  }
  const open = () => database.sql`select id from bulk.job where status in ('enfileirado', 'processando')`
  await until('all have ended', async () => ((await open()).length === 0 ? true : undefined))
  const jobs = await database.sql`
    select status, attempts, count(*)::int as jobs from bulk.job group by 1, 2 order by 1, 2`
  const [gap] = await database.sql`
    select max(extract(epoch from finished_at - before))::float8 as seconds from (
      select finished_at, lag(finished_at) over (order by finished_at) as before from bulk.job) t`
  console.log(`${jobs.map((row) => JSON.stringify(row)).join(' ')}, the longest pause ${gap?.seconds} s`)
  for (const one of nodes) await one[Symbol.asyncDispose]()
  expect(jobs.map(({ status, attempts }) => [status, attempts])).toEqual([['completo', 1]])
  expect(gap?.seconds).toBeLessThan(5)
  const left =
    await database.sql`select relname from pg_class where relnamespace = 'bulk_stage'::regnamespace`
  expect(left.map(({ relname }) => relname)).toEqual([])
}, 120_000)
