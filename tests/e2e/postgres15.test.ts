import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres, type Postgres } from '../../scripts/postgres.ts'
import { compareTable } from '../support/compare.ts'
import { everyTypeSelect, writeEveryTypeFigura } from '../support/every-type.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { freshFolder } from '../support/servers.ts'

/** Where Debian puts it. Users' machines need not have it: without it these tests are skipped, and say so. */
const NATIVE = '/usr/lib/postgresql/15'
const found = existsSync(join(NATIVE, 'bin/postgres'))
if (!found) console.log(`skipped: the tests on PostgreSQL 15, which is not in ${NATIVE}`)

// MERGE has no RETURNING there: what was inserted is told by the transaction's own statistics
describe.skipIf(!found)('on PostgreSQL 15', () => {
  const folder = freshFolder()
  let server: Postgres
  let rig: Rig

  beforeAll(async () => {
    server = await startPostgres({ dir: folder.path, durable: false, native: NATIVE })
    rig = await startRig({ databaseUrl: server.url })
  })
  afterAll(async () => {
    await rig[Symbol.asyncDispose]()
    await server.stop()
    folder[Symbol.dispose]()
  })

  test('rows of every type arrive value by value, and are unchanged when they are sent again', async () => {
    const [row] = await rig.sql`select current_setting('server_version') as version`
    expect(row?.version).toStartWith('15.')
    writeEveryTypeFigura(rig.figuras, 'tudo', rig.bucket.url(''))
    const rows = 50_000
    const file = await rig.putFile('tudo', everyTypeSelect(rows), { rowGroupRows: 10_240 })
    const first = await rig.service.load('tudo', file.url)
    expect(first).toMatchObject({ status: 'completo', stats: { read: rows, inserted: rows, updated: 0 } })
    const compared = await compareTable(rig.sql, rig.figura('tudo'), { file: file.path, folder: rig.folder })
    expect(compared).toEqual({ rows, onlyInFile: [], onlyInTable: [], different: [] })
    const again = await rig.service.load('tudo', file.url)
    expect(again.stats).toMatchObject({ read: rows, inserted: 0, updated: 0, unchanged: rows })
  })

  test('inserted, updated and unchanged rows are counted, in a partitioned table too', async () => {
    await rig.sql.unsafe(`
      create table partes (id bigint primary key, nome text) partition by range (id);
      create table partes_1 partition of partes for values from (0) to (500);
      create table partes_2 partition of partes for values from (500) to (100000)`)
    for (const name of ['partes', 'inteira']) {
      rig.writeFigura(name, '  id: { type: bigint }\n  nome: { type: text }')
      await rig.send(name, 'a', `select i as id, 'n' || i as nome from range(1000) t(i)`)
      const nome = `case when i < 500 then 'n' || i else 'novo' end as nome`
      const job = await rig.send(name, 'b', `select i as id, ${nome} from range(400, 1100) t(i)`)
      expect(job.stats).toMatchObject({ read: 700, inserted: 100, updated: 500, unchanged: 100 })
    }
  })
})
