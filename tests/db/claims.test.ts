import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { findJob, takeStalled } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { claimChunk, claimJob, releaseLease, renewLease } from '../../src/db/claims.ts'
import { failJob } from '../../src/db/ends.ts'
import { beginMerge } from '../../src/db/parts.ts'
import { forgetStage, readMarks, recordPlan, releasePending } from '../../src/db/marks.ts'
import { smallFigura } from '../support/figuras.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'
import { jobRows, LIMITS, PROBLEM } from './job-rows.ts'

const HOLDER = { holder: 'n/0', leaseMs: 30_000 }

let database: FreshDatabase
let sql: Sql
const { accept, planned, mark, take, attempt, expireLease } = jobRows(() => sql)

beforeAll(async () => {
  database = await freshDatabase()
  sql = openPostgres(database.url, { max: 6, name: 'test' })
})
afterAll(async () => {
  await sql.end()
  await database[Symbol.asyncDispose]()
})

describe('a job is claimed', () => {
  test('by one of many who ask at once', async () => {
    const { id } = await accept('um')
    const claims = await Promise.all(Array.from({ length: 6 }, () => take(id)))
    expect(claims.map((claim) => claim.kind).sort()).toEqual([
      'claimed',
      'held',
      'held',
      'held',
      'held',
      'held',
    ])
  })

  test('with the attempt counted, and again when its lease has run out', async () => {
    const { id } = await accept('dois')
    expect(await attempt(id)).toBe(1)
    await expireLease(id)
    expect(await attempt(id)).toBe(2)
  })

  test('not after its last attempt: then it is exhausted', async () => {
    const { id } = await accept('tres')
    for (let tries = 1; tries <= LIMITS.attempts; tries++) {
      expect(await attempt(id)).toBe(tries)
      await expireLease(id)
    }
    expect((await take(id)).kind).toBe('exhausted')
  })

  test('later, when whoever has it gives it back at that very moment', async () => {
    const { id } = await accept('corrida')
    await attempt(id)
    // the lease is there at the first question of the claim, and gone at the second
    const givesBack = (...query: Parameters<typeof sql>) => {
      const asked = sql(...query)
      // a fragment of a statement is handed on as it is
      if (!/^\s*(update|select)/.test(String(Object(query[0])[0]))) return asked
      return asked.then(async (rows) => {
        await expireLease(id)
        return rows
      })
    }
    expect(
      await claimJob(givesBack as unknown as Sql, { job: id, figura: '', orEarliest: false }, LIMITS),
    ).toEqual({ kind: 'held', forMs: 0 })
  })

  test('not when it has ended', async () => {
    const { id } = await accept('quatro')
    await take(id)
    await sql.begin((tx) => failJob(tx, { job: id, attempt: 1 }, PROBLEM))
    expect((await take(id)).kind).toBe('ended')
  })

  test('in the order of acceptance, whichever doorbell of its figura rings', async () => {
    const ids = [(await accept('fila')).id, (await accept('fila')).id, (await accept('fila')).id]
    const other = await accept('fila_outra')
    const ring = async (job: string) => {
      const claim = await claimJob(sql, { job, figura: 'fila', orEarliest: true }, LIMITS)
      return claim.kind === 'claimed' ? ids.indexOf(claim.job.id) : claim.kind
    }
    expect(await ring(ids[2]!)).toBe(0)
    // put back with a pause: whoever rings for another one does not come to it before its time
    await releaseLease(sql, { job: ids[0]!, attempt: 1 }, { delayMs: 60_000 })
    expect(await ring(ids[0]!)).toBe(1)
    await sql.begin((tx) => failJob(tx, { job: ids[1]!, attempt: 1 }, PROBLEM))
    expect(await ring(ids[1]!)).toBe(2)
    expect(await ring(ids[1]!)).toBe('ended')
    await expireLease(ids[0]!)
    expect(await ring(ids[1]!)).toBe(0)
    expect((await take(other.id)).kind).toBe('claimed')
  })

  test('itself, once it was begun, even if an earlier one waits to be begun', async () => {
    const [first, second] = [await accept('propria'), await accept('propria')]
    await take(second.id)
    await expireLease(second.id)
    const claim = await claimJob(sql, { job: second.id, figura: 'propria', orEarliest: true }, LIMITS)
    expect(claim).toMatchObject({ kind: 'claimed', job: { id: second.id } })
    expect((await take(first.id)).kind).toBe('claimed')
  })

  test('under the contract that it was accepted under', async () => {
    const { id } = await accept('cinco')
    const claim = await take(id)
    expect(claim.kind === 'claimed' && claim.job.definition).toEqual(smallFigura('cinco'))
  })
})

describe('a job that has used its last attempt', () => {
  test('is still claimed when it is its turn to merge, or when its chunks were slow to come', async () => {
    for (const phase of ['wait', 'stage'] as const) {
      const { id } = await planned(`ultima_${phase}`, 1)
      await sql`update bulk.job set attempts = ${LIMITS.attempts}, phase = ${phase} where id = ${id}`
      await expireLease(id)
      expect(await attempt(id)).toBe(LIMITS.attempts)
    }
  })

  test('is exhausted when it has to be planned or merged anew', async () => {
    for (const phase of ['plan', 'merge'] as const) {
      const { id } = await planned(`gasta_${phase}`, 1)
      await sql`update bulk.job set attempts = ${LIMITS.attempts}, phase = ${phase} where id = ${id}`
      await expireLease(id)
      expect((await take(id)).kind).toBe('exhausted')
    }
  })
})

describe('a lease', () => {
  test('is renewed by its holder alone: a holder of an older attempt is told that it lost the job', async () => {
    const { id } = await accept('lease')
    await take(id)
    expect(await renewLease(sql, { job: id, attempt: 1 }, 30_000)).toBe(true)
    await expireLease(id)
    await take(id)
    expect(await renewLease(sql, { job: id, attempt: 1 }, 30_000)).toBe(false)
    expect(await renewLease(sql, { job: id, attempt: 2 }, 30_000)).toBe(true)
  })

  test('that is given back lets the next one claim at once', async () => {
    const { id } = await accept('devolvido')
    await take(id)
    await releaseLease(sql, { job: id, attempt: 1 })
    expect((await take(id)).kind).toBe('claimed')
  })

  test('that is given back by a stop costs no attempt, in a merge as little as before there was a stage', async () => {
    const { id, figura } = await planned('parada', 1)
    await sql`update bulk.job set phase = 'merge' where id = ${id}`
    for (let stops = 0; stops < LIMITS.attempts; stops++) {
      await expireLease(id)
      const fence = { job: id, attempt: await attempt(id) }
      expect(fence.attempt).toBe(2)
      await releaseLease(sql, fence, { uncount: true })
    }
    // a stage is named by the attempt that made it: no later one comes below it
    await releaseLease(sql, { job: id, attempt: 1 }, { uncount: true })
    expect((await findJob(sql, figura, id))?.attempts).toBe(1)
  })
})

describe('a chunk', () => {
  test('is claimed by one, and its mark counts once however often it is done', async () => {
    const { id } = await planned('chunk', 2)
    const claims = await Promise.all(
      [0, 1, 2].map(() => claimChunk(sql, { job: id, stage: 1, chunk: 0 }, HOLDER)),
    )
    expect(claims.map((claim) => claim.kind).sort()).toEqual(['claimed', 'held', 'held'])
    expect(await mark(id, 0)).toMatchObject({ kind: 'marked', last: false, rejected: 0, released: [] })
    expect(await mark(id, 0)).toEqual({ kind: 'lost' })
    expect((await claimChunk(sql, { job: id, stage: 1, chunk: 0 }, HOLDER)).kind).toBe('ended')
    expect(await readMarks(sql, id, 1)).toEqual({ total: 2, done: 1, read: 10, staged: 10, rejected: 0 })
  })

  test('that is the last to be marked is told so, exactly once, when all are marked at the same time', async () => {
    const { id } = await planned('ultimo', 6)
    const marks = await Promise.all([0, 1, 2, 3, 4, 5].map((no) => mark(id, no)))
    expect(marks.filter((one) => one.kind === 'marked' && one.last)).toHaveLength(1)
    const job = await findJob(sql, 'ultimo', id)
    expect(job).toMatchObject({ chunksDone: 6, chunksTotal: 6, rowsDone: 60 })
  })

  test('releases the next one of its job when it is marked', async () => {
    const { id } = await planned('proximo', 4, 2)
    expect(await mark(id, 0)).toMatchObject({ released: [2] })
    expect(await mark(id, 1)).toMatchObject({ released: [3] })
    expect(await mark(id, 2)).toMatchObject({ released: [] })
  })

  test('of a job that has ended can neither be claimed nor marked', async () => {
    const { id } = await planned('acabado', 2)
    await sql.begin((tx) => failJob(tx, { job: id, stage: 1 }, PROBLEM))
    expect((await claimChunk(sql, { job: id, stage: 1, chunk: 0 }, HOLDER)).kind).toBe('ended')
    expect(await mark(id, 0)).toEqual({ kind: 'lost' })
  })

  test('that nobody holds is released again; one that is held or done is not', async () => {
    const { id } = await planned('pendente', 3)
    await claimChunk(sql, { job: id, stage: 1, chunk: 0 }, HOLDER)
    await mark(id, 1)
    expect(await releasePending(sql, id, 1, 8)).toEqual([2])
  })
})

test('a stage that is forgotten leaves no progress and no time behind, and its job is rung for anew', async () => {
  const { id } = await planned('esquecido', 2)
  await mark(id, 0)
  await beginMerge(sql, { job: id, stage: 1 })
  expect(await forgetStage(sql, { job: id, stage: 1 })).toEqual({ ring: 1, mergeTry: 1 })
  expect(await findJob(sql, 'esquecido', id)).toMatchObject({
    stage: null,
    chunksDone: 0,
    rowsDone: 0,
    ring: 1,
  })
  expect(await forgetStage(sql, { job: id, stage: 1 })).toBeUndefined()
  await take(id)
  const plan = { bytes: 1, rows: 0, rowGroups: 0, etag: null, format: null, planMs: 1, chunks: [] }
  expect(await sql.begin((tx) => recordPlan(tx, { job: id, attempt: 2 }, plan))).toBe(true)
  expect((await findJob(sql, 'esquecido', id))?.stageMs).toBeNull()
})

test('a job that stands still is taken by one sweeper of many, and not again before its time', async () => {
  const { id } = await accept('parado')
  await sql`update bulk.job set ring_at = now() - interval '1 second' where id = ${id}`
  const options = { overdueMs: 0, nextMs: 30_000, limit: 100 }
  const sweeps = await Promise.all([0, 1, 2].map(() => takeStalled(sql, options)))
  expect(sweeps.flat().filter((job) => job.id === id)).toEqual([{ id, figura: 'parado', ring: 1 }])
  expect((await takeStalled(sql, options)).filter((job) => job.id === id)).toEqual([])
})
