import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPostgres, type Postgres } from '../../scripts/postgres.ts'
import { parseFigura } from '../../src/figura/load.ts'
import { compareTable } from '../support/compare.ts'
import { everyTypeSelect, writeEveryTypeFigura } from '../support/every-type.ts'
import { writeParquet } from '../support/parquet.ts'
import { freshBucket, freshFolder, freshStream, type FreshBucket } from '../support/servers.ts'
import { startService, type Service } from '../support/service.ts'

/** Where Debian puts it. Users' machines need not have it: without it these tests are skipped, and say so. */
const NATIVE = '/usr/lib/postgresql/15'
const found = existsSync(join(NATIVE, 'bin/postgres'))
if (!found) console.log(`skipped: the tests on PostgreSQL 15, which is not in ${NATIVE}`)

// MERGE has no RETURNING there: what was inserted is told by the transaction's own statistics
describe.skipIf(!found)('on PostgreSQL 15', () => {
  const folder = freshFolder()
  const figuras = join(folder.path, 'figuras')
  let server: Postgres
  let sql: postgres.Sql
  let bucket: FreshBucket
  let service: Service

  beforeAll(async () => {
    mkdirSync(figuras)
    ;[server, bucket] = await Promise.all([
      startPostgres({ dir: join(folder.path, 'postgres'), durable: false, native: NATIVE }),
      freshBucket(),
    ])
    sql = postgres(server.url, { max: 2, onnotice: () => {} })
    service = await startService({ databaseUrl: server.url, stream: freshStream(), figurasDir: figuras })
  })
  afterAll(async () => {
    await service[Symbol.asyncDispose]()
    await sql.end()
    await server.stop()
    folder[Symbol.dispose]()
  })

  test('rows of every type arrive value by value, and are unchanged when they are sent again', async () => {
    const [{ version } = { version: '' }] = await sql`select current_setting('server_version') as version`
    expect(version).toStartWith('15.')
    writeEveryTypeFigura(figuras, 'tudo', bucket.url(''))
    const rows = 50_000
    const file = join(folder.path, 'tudo.parquet')
    await writeParquet(file, everyTypeSelect(rows), { rowGroupRows: 10_240 })
    await bucket.put('tudo.parquet', { file })
    const first = await service.load('tudo', bucket.url('tudo.parquet'))
    expect(first).toMatchObject({
      status: 'completo',
      stats: { read: rows, inserted: rows, updated: 0, unchanged: 0 },
    })
    const text = readFileSync(join(figuras, 'tudo.yaml'), 'utf8')
    const parsed = parseFigura('tudo', text)
    if (!('figura' in parsed)) throw new Error(JSON.stringify(parsed.errors))
    const compared = await compareTable(sql, parsed.figura, { file, folder: folder.path })
    expect(compared).toEqual({ rows, onlyInFile: [], onlyInTable: [], different: [] })
    const again = await service.load('tudo', bucket.url('tudo.parquet'))
    expect(again.stats).toEqual({ read: rows, inserted: 0, updated: 0, unchanged: rows })
  })

  test('inserted, updated and unchanged rows are counted, in a partitioned table too', async () => {
    await sql.unsafe(`
      create table partes (id bigint primary key, nome text) partition by range (id);
      create table partes_1 partition of partes for values from (0) to (500);
      create table partes_2 partition of partes for values from (500) to (100000)`)
    for (const name of ['partes', 'inteira']) {
      const text = `description: x\ntable: public.${name}\nkey: [id]\ncolumns:\n  id: { type: bigint }\n  nome: { type: text }\n`
      writeFileSync(join(figuras, `${name}.yaml`), `${text}sources: ['${bucket.url('')}']\n`)
      await send(name, 'a', `select i as id, 'n' || i as nome from range(1000) t(i)`)
      const job = await send(
        name,
        'b',
        `select i as id, case when i < 500 then 'n' || i else 'novo' end as nome from range(400, 1100) t(i)`,
      )
      expect(job.stats).toEqual({ read: 700, inserted: 100, updated: 500, unchanged: 100 })
    }
  })

  async function send(name: string, key: string, select: string): Promise<Record<string, unknown>> {
    const file = join(folder.path, `${name}-${key}.parquet`)
    await writeParquet(file, select)
    await bucket.put(`${name}-${key}.parquet`, { file })
    return service.load(name, bucket.url(`${name}-${key}.parquet`))
  }
})
