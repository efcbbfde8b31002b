import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeParquet } from '../support/parquet.ts'
import {
  freshBucket,
  freshDatabase,
  freshFolder,
  freshStream,
  type FreshBucket,
  type FreshDatabase,
} from '../support/servers.ts'
import { startService, until } from '../support/service.ts'

const folder = freshFolder()
const figuras = join(folder.path, 'figuras')
let bucket: FreshBucket
let database: FreshDatabase

beforeAll(async () => {
  mkdirSync(figuras)
  ;[database, bucket] = await Promise.all([freshDatabase(), freshBucket()])
  const columns = 'columns:\n  id: { type: bigint }\n  de: { type: integer }\n'
  const text = `description: fila\ntable: public.fila\nkey: [id]\n${columns}load: { history: true }\n`
  writeFileSync(join(figuras, 'fila.yaml'), `${text}sources: ['${bucket.url('')}']\n`)
})
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** The first is the largest, so that without an order the last would be merged first. */
const SIZES = [240_000, 120_000, 60_000, 30_000, 15_000, 8000, 4000, 2000, 1000, 500, 200, 100]

/** These have a repeated key, and must hold nobody up. */
const BROKEN = new Set([2, 7])

test('jobs merge as they were accepted: sizes reversed, two nodes, failures, a killed worker', async () => {
  const common = {
    databaseUrl: database.url,
    stream: freshStream(),
    figurasDir: figuras,
    env: {
      CHUNK_ROWS: '20480',
      FIRST_LOAD_ROWS: '0',
      DIRECT_ROWS: '2000',
      LEASE_SECONDS: '2',
      PREFLIGHT_MS: '0',
    },
  }
  await using api = await startService({ ...common, env: { ...common.env, ROLE: 'api' } })
  await using first = await startService({
    ...common,
    env: { ...common.env, ROLE: 'worker', NODE_NAME: 'um' },
  })
  await using second = await startService({
    ...common,
    env: { ...common.env, ROLE: 'worker', NODE_NAME: 'dois' },
  })
  const urls = await Promise.all(SIZES.map((rows, no) => file(no, rows)))
  const accepted: string[] = []
  for (const url of urls) accepted.push(String((await api.put('/fila/_bulk', { url })).body.status_url))

  await until('a chunk of the first is staged', async () => {
    const { body } = await api.get(accepted[0] ?? '')
    return (body.progress as { chunks: { done: number } }).chunks.done > 0 ? true : undefined
  })
  const worker = second.lines.find((line) => line.message === 'worker threads are ready')
  process.kill(Number(worker?.pid), 'SIGKILL')

  const ended = []
  for (const statusUrl of accepted) ended.push(await api.ended(statusUrl))
  expect(ended.map(({ status }) => status)).toEqual(
    SIZES.map((_, no) => (BROKEN.has(no) ? 'erro' : 'completo')),
  )
  const merged = await database.sql`
    select seq from bulk.job where status = 'completo' order by finished_at`
  expect(merged.map(({ seq }) => Number(seq))).toEqual(
    SIZES.flatMap((_, no) => (BROKEN.has(no) ? [] : [no + 1])),
  )
  // each row was last written by the last job that has it, and its history has all of them, in order
  const [rows] = await database.sql`
    select count(*)::int as rows, count(*) filter (where de = 11)::int as last from fila`
  expect(rows).toMatchObject({ rows: SIZES[0], last: 100 })
  const history = await database.sql`select de from fila_history where id = 0 order by valid_from`
  expect(history.map(({ de }) => de)).toEqual(SIZES.flatMap((_, no) => (BROKEN.has(no) ? [] : [no])))
  expect(first.lines.length).toBeGreaterThan(0)
}, 240_000)

async function file(no: number, rows: number): Promise<string> {
  const path = join(folder.path, `${no}.parquet`)
  const twice = BROKEN.has(no) ? `union all select 0, ${no}` : ''
  await writeParquet(path, `select i as id, ${no} as de from range(${rows}) t(i) ${twice}`, {
    rowGroupRows: 20_480,
  })
  await bucket.put(`${no}.parquet`, { file: path })
  return bucket.url(`${no}.parquet`)
}
