import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { findJob, insertJob, listJobs, saveContract, takeStalled } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { claimChunk, claimJob, releaseLease, renewLease, type Chunk } from '../../src/db/claims.ts'
import { completeJob, failJob, hasEarlier, nextWaiting, waitForTurn } from '../../src/db/ends.ts'
import { beginMerge } from '../../src/db/parts.ts'
import { forgetStage, markDone, readMarks, recordPlan, releasePending } from '../../src/db/marks.ts'
import { smallFigura } from '../support/figuras.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

const LIMITS = { leaseMs: 30_000, attempts: 3 }
const HOLDER = { holder: 'n/0', leaseMs: 30_000 }
const STATS = { read: 1, inserted: 1, updated: 0, unchanged: 0, mergeMs: 1 }
const PROBLEM = { type: '/problems/internal', title: '', status: 500, code: 'internal' as const, detail: '' }

let database: FreshDatabase
let sql: Sql

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
})

describe('a chunk', () => {
  test('is claimed by one, and its mark counts once however often it is done', async () => {
    const { id } = await planned('chunk', 2)
    const claims = await Promise.all(
      [0, 1, 2].map(() => claimChunk(sql, { job: id, stage: 1, chunk: 0 }, HOLDER)),
    )
    expect(claims.map((claim) => claim.kind).sort()).toEqual(['claimed', 'held', 'held'])
    expect(await mark(id, 0)).toEqual({ kind: 'marked', last: false, released: [] })
    expect(await mark(id, 0)).toEqual({ kind: 'lost' })
    expect((await claimChunk(sql, { job: id, stage: 1, chunk: 0 }, HOLDER)).kind).toBe('ended')
    expect(await readMarks(sql, id, 1)).toEqual({ total: 2, done: 1, rows: 10 })
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
      (id: string) => sql.begin((tx) => completeJob(tx, { job: id, stage: 1 }, STATS)),
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
    const complete = () => sql.begin((tx) => completeJob(tx, { job: id, stage: 1 }, STATS))
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

test('a stage that is forgotten leaves no progress and no time behind, and its job is rung for anew', async () => {
  const { id } = await planned('esquecido', 2)
  await mark(id, 0)
  await beginMerge(sql, { job: id, stage: 1 })
  expect(await forgetStage(sql, { job: id, stage: 1 })).toBe(1)
  expect(await findJob(sql, 'esquecido', id)).toMatchObject({
    stage: null,
    chunksDone: 0,
    rowsDone: 0,
    ring: 1,
  })
  expect(await forgetStage(sql, { job: id, stage: 1 })).toBeUndefined()
  await take(id)
  const plan = { bytes: 1, rows: 0, rowGroups: 0, etag: null, planMs: 1, chunks: [] }
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

async function accept(figura: string): Promise<{ id: string; figura: string; seq: number }> {
  const id = Bun.randomUUIDv7()
  await saveContract(sql, { hash: figura, figura: smallFigura(figura) })
  await insertJob(sql, { id, figura, contract: figura, url: 's3://b/k', sha256: null })
  const job = await findJob(sql, figura, id)
  return { id, figura, seq: job?.seq ?? 0 }
}

/** A job of `chunks` chunks of 10 rows, in its first stage. */
async function planned(figura: string, chunks: number, released = chunks) {
  const job = await accept(figura)
  await take(job.id)
  const list = Array.from({ length: chunks }, (_, no): Chunk & { released: boolean } => {
    return { no, kind: 'rows', rowStart: no * 10, rowEnd: no * 10 + 10, released: no < released }
  })
  const plan = { bytes: 1, rows: chunks * 10, rowGroups: chunks, etag: null, planMs: 1, chunks: list }
  expect(await sql.begin((tx) => recordPlan(tx, { job: job.id, attempt: 1 }, plan))).toBe(true)
  return job
}

function mark(job: string, no: number) {
  const chunks = [{ no, kind: 'rows' as const, rows: 10 }]
  return sql.begin(async (tx) => markDone(tx, { job, stage: 1, chunks }, { release: 1 }))
}

/** Claims this very job. */
function take(id: string) {
  return claimJob(sql, { job: id, figura: '', orEarliest: false }, LIMITS)
}

async function attempt(id: string): Promise<number> {
  const claim = await take(id)
  if (claim.kind !== 'claimed') throw new Error(`not claimed: ${claim.kind}`)
  return claim.job.attempts
}

async function expireLease(id: string): Promise<void> {
  await sql`update bulk.job set lease_until = now() - interval '1 second' where id = ${id}`
}
