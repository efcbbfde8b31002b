import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { findJob, listJobs, takeStalled } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { completeJob, failJob, hasEarlier, nextWaiting, waitForTurn } from '../../src/db/ends.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'
import { jobRows, PROBLEM, allInserted } from './job-rows.ts'

let database: FreshDatabase
let sql: Sql
const { accept, planned, take, attempt } = jobRows(() => sql)

beforeAll(async () => {
  database = await freshDatabase()
  sql = openPostgres(database.url, { max: 6, name: 'test' })
})
afterAll(async () => {
  await sql.end()
  await database[Symbol.asyncDispose]()
})

describe('jobs of one figura', () => {
  test('wait for the earlier ones that are alive, and for no others', async () => {
    const first = await planned('ordem', 1)
    const second = await planned('ordem', 1)
    expect(await hasEarlier(sql, first)).toBe(false)
    expect(await hasEarlier(sql, second)).toBe(true)
    expect(await hasEarlier(sql, { ...second, figura: 'outra' })).toBe(false)
    await waitForTurn(sql, { job: second.id, stage: 1 })
    expect(await nextWaiting(sql, 'ordem')).toBeUndefined()
    await sql.begin((tx) => failJob(tx, { job: first.id, stage: 1 }, PROBLEM))
    expect(await hasEarlier(sql, second)).toBe(false)
    expect(await nextWaiting(sql, 'ordem')).toMatchObject({ id: second.id, stage: 1 })
  })

  test('are due soon when their turn has come, so that a lost word does not leave them standing', async () => {
    for (const end of [
      (id: string) => sql.begin((tx) => completeJob(tx, { job: id, stage: 1 }, { stats: allInserted(1) })),
      (id: string) => sql.begin((tx) => failJob(tx, { job: id, stage: 1 }, PROBLEM)),
    ]) {
      const [first, second, third] = [
        await planned('vez', 1),
        await planned('vez', 1),
        await planned('vez', 1),
      ]
      for (const { id } of [second, third]) await waitForTurn(sql, { job: id, stage: 1 })
      await end(first.id)
      const taken = await takeStalled(sql, { overdueMs: -20_000, nextMs: 600_000, limit: 100 })
      const ids = taken.map((job) => job.id)
      expect(ids).toContain(second.id)
      expect(ids).not.toContain(third.id)
      for (const { id } of [second, third]) await end(id)
    }
  })

  test('that wait for their turn lose no attempt by it', async () => {
    const { id } = await planned('espera', 1)
    await waitForTurn(sql, { job: id, stage: 1 })
    expect(await attempt(id)).toBe(1)
  })

  test('fail with what PostgreSQL cannot store shown by a sign', async () => {
    const { id } = await planned('nulo', 1)
    const detail = `the name a\0b and half a pair \ud800`
    await sql.begin((tx) => failJob(tx, { job: id, stage: 1 }, { ...PROBLEM, detail, names: ['a\0b'] }))
    expect(await findJob(sql, 'nulo', id)).toMatchObject({
      status: 'erro',
      error: { detail: 'the name a\ufffdb and half a pair \ufffd', names: ['a\ufffdb'] },
    })
  })

  test('are completed once: a second completion finds the job ended', async () => {
    const { id } = await planned('fim', 1)
    const complete = () =>
      sql.begin((tx) => completeJob(tx, { job: id, stage: 1 }, { stats: allInserted(1) }))
    expect(await complete()).toBe(true)
    expect(await complete()).toBe(false)
  })

  test('are listed newest first, by status, and on from a job', async () => {
    const ids = [(await accept('lista')).id, (await accept('lista')).id, (await accept('lista')).id]
    await take(ids[1] ?? '')
    const list = async (options: Partial<Parameters<typeof listJobs>[2]>) =>
      (await listJobs(sql, 'lista', { status: undefined, before: undefined, limit: 10, ...options })).map(
        (job) => job.id,
      )
    expect(await list({})).toEqual([...ids].reverse())
    expect(await list({ status: 'processando' })).toEqual([ids[1] ?? ''])
    expect(await list({ before: ids[2] ?? '', limit: 1 })).toEqual([ids[1] ?? ''])
  })
})
