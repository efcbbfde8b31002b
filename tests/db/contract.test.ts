import { expect, test } from 'bun:test'
import { saveContract } from '../../src/db/jobs.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { smallFigura } from '../support/figuras.ts'
import { freshDatabase } from '../support/servers.ts'

test('a contract is kept with its checks in the order of the figura', async () => {
  await using database = await freshDatabase()
  const sql = openPostgres(database.url, { max: 1, name: 'test' })
  const checks = { segundo_nome_longo: 'id > 1', b: 'id > 2', aa: 'id > 3' }
  await saveContract(sql, { hash: 'x', figura: { ...smallFigura(), checks } })
  const [row] = await sql<{ definition: { checks: object } }[]>`select definition from bulk.contract`
  expect(Object.keys(row?.definition.checks ?? {})).toEqual(Object.keys(checks))
  await sql.end()
})
