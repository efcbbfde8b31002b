import { expect, test } from 'bun:test'
import { insertJob, saveContract } from '../../src/db/jobs.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { createLog } from '../../src/log.ts'
import { startRejectSweep } from '../../src/worker/expiry.ts'
import { freshDatabase } from '../support/servers.ts'
import { until } from '../support/service.ts'

const figura = {
  name: 'f',
  description: '',
  table: { schema: 's', name: 't' },
  key: [],
  columns: [],
  sources: [],
}

test('old rejects are deleted, by several nodes at once, and younger ones stay', async () => {
  await using database = await freshDatabase()
  const sql = openPostgres(database.url, { max: 2, name: 'test' })
  const id = Bun.randomUUIDv7()
  await saveContract(sql, { hash: 'h', figura })
  await insertJob(sql, { id, figura: 'f', contract: 'h', url: 's3://a/b', sha256: null })
  await sql`
    insert into bulk.reject (job, stage, file, chunk, "row", rule, reason, faults, at)
    select ${id}, 1, 0, 0, i, 'r', 'r', '[]', now() - case when i <= 25000 then 8 else 6 end * interval '1 day'
    from generate_series(1, 25010) i
  `
  const lines: string[] = []
  const log = createLog({}, (line) => void lines.push(line))
  const sweeps = [1, 2].map(() => startRejectSweep(sql, { everyMs: 20, days: 7, log }))
  const left = () => sql<{ count: number }[]>`select count(*) from bulk.reject where "row" <= 25000`
  await until('the old ones are gone', async () => ((await left())[0]?.count === 0 ? true : undefined))
  await Promise.all(sweeps.map((sweep) => sweep.stop()))
  expect(await sql`select count(*) from bulk.reject`).toMatchObject([{ count: 10 }])
  const deleted = lines.map((line) => Number(JSON.parse(line).deleted)).reduce((sum, one) => sum + one, 0)
  expect(deleted).toBe(25_000)
  await sql.end()
})
