import { afterAll, beforeAll, expect, test } from 'bun:test'
import { insertJob, saveContract } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { createLog } from '../../src/log.ts'
import { startExpiry } from '../../src/worker/expiry.ts'
import { smallFigura } from '../support/figuras.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'
import { until } from '../support/service.ts'

const KEPT = { jobsDays: 90, rejectsDays: 7, idempotencyMs: 24 * 3_600_000 }

let database: FreshDatabase
let sql: Sql
beforeAll(async () => {
  database = await freshDatabase()
  sql = openPostgres(database.url, { max: 2, name: 'test' })
})
afterAll(async () => {
  await sql.end()
  await database[Symbol.asyncDispose]()
})

test('what is older than it is kept is deleted, by several nodes at once, and the younger stays', async () => {
  const [job, old] = [await ended('um', 89), await ended('dois', 91)]
  await rejects(job, 25_000, 8)
  await rejects(job, 10, 6, 25_000)
  await rejects(old, 10, 6)
  for (const [key, hours] of [
    ['velha', 25],
    ['nova', 23],
  ] as const)
    await sql`insert into bulk.idempotency values ('', 'f', ${key}, '', ${job}, now() - ${hours} * interval '1 hour')`
  await sql`insert into bulk.job_log (job, level, node, attempt, message)
    select ${old}, 'info', 'n', 1, 'm' from generate_series(1, 100)`

  const lines = await swept(async () => {
    const [left] = await sql<{ rows: number; jobs: number; keys: number; contracts: number }[]>`
      select (select count(*) from bulk.reject) as rows, (select count(*) from bulk.job) as jobs,
        (select count(*) from bulk.idempotency) as keys, (select count(*) from bulk.contract) as contracts`
    return left?.rows === 10 && left.jobs === 1 && left.keys === 1 && left.contracts === 1
  })
  const deleted = (what: string) => lines.reduce((sum, line) => sum + Number(line[what] ?? 0), 0)
  expect(['rejects', 'keys', 'jobs', 'contracts'].map(deleted)).toEqual([25_000, 1, 1, 1])
  expect(await sql`select key from bulk.idempotency`).toMatchObject([{ key: 'nova' }])
  expect(await sql`select id from bulk.job`).toMatchObject([{ id: job }])
  // the log of a job goes with it
  expect(await sql`select from bulk.job_log`).toHaveLength(0)
})

test('a job that has not ended is kept, however old it is, and so is its contract', async () => {
  const [waits, runs] = [await ended('tres', 400), await ended('quatro', 400)]
  await sql`update bulk.job set status = 'enfileirado', finished_at = null where id = ${waits}`
  await sql`update bulk.job set status = 'processando', finished_at = null where id = ${runs}`
  const gone = await ended('cinco', 400)
  await swept(async () => (await sql`select from bulk.job where id = ${gone}`).length === 0)
  expect(await sql`select from bulk.job where id in (${waits}, ${runs})`).toHaveLength(2)
  expect(await sql`select from bulk.contract where hash in ('tres', 'quatro')`).toHaveLength(2)
})

test('a job is kept as long as a key that counts names it, or its request sent again would load twice', async () => {
  const [named, gone] = [await ended('seis', 91), await ended('sete', 91)]
  await sql`insert into bulk.idempotency values ('', 'f', 'longa', '', ${named}, now() - interval '92 days')`
  const kept = { ...KEPT, idempotencyMs: 100 * 24 * 3_600_000 }
  await swept(async () => (await sql`select from bulk.job where id = ${gone}`).length === 0, kept)
  expect(await sql`select key from bulk.idempotency where job = ${named}`).toMatchObject([{ key: 'longa' }])
  await swept(async () => (await sql`select from bulk.job where id = ${named}`).length === 0)
})

/** Sweeps on two nodes until that holds; gives the lines of their logs. */
async function swept(holds: () => Promise<boolean>, kept = KEPT): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = []
  const log = createLog({}, (line) => void lines.push(JSON.parse(line)))
  const sweeps = [1, 2].map(() => startExpiry(sql, { everyMs: 20, kept, log }))
  await until('the old ones are gone', async () => ((await holds()) ? true : undefined))
  await Promise.all(sweeps.map((sweep) => sweep.stop()))
  return lines
}

/** A job with a contract of its own that ended so many days ago. */
async function ended(contract: string, days: number): Promise<string> {
  const id = Bun.randomUUIDv7()
  await saveContract(sql, { hash: contract, figura: smallFigura('f') })
  await insertJob(sql, { id, figura: 'f', contract, url: 's3://a/b', sha256: null })
  await sql`update bulk.contract set created_at = now() - interval '400 days'`
  await sql`update bulk.job set status = 'completo', finished_at = now() - ${days} * interval '1 day' where id = ${id}`
  return id
}

function rejects(job: string, rows: number, days: number, after = 0) {
  return sql`
    insert into bulk.reject (job, stage, file, chunk, "row", rule, reason, faults, at)
    select ${job}, 1, 0, 0, ${after} + i, 'r', 'r', '[]', now() - ${days} * interval '1 day'
    from generate_series(1, ${rows}::int) i`
}
