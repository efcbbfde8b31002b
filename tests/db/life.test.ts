import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { claimChunk, claimJob } from '../../src/db/claims.ts'
import { findUntold, markTold } from '../../src/db/dead-letters.ts'
import { failJob } from '../../src/db/ends.ts'
import { findJob, takeStalled } from '../../src/db/jobs.ts'
import { cancelJob, endOverdue, findOverdue, isOurs } from '../../src/db/life.ts'
import { pauseFigura, resumeFigura, takeQueued } from '../../src/db/pause.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { putOff, waitedFor } from '../../src/db/waiting.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'
import { jobRows, LIMITS, PROBLEM } from './job-rows.ts'

const ASKED = { node: 'n', by: 'somebody' }
const FULL = { reason: 'capacity', detail: 'a full disk', delayMs: 60_000 } as const

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

describe('the time of a job', () => {
  test('runs from its first claim, and a later claim does not lengthen it', async () => {
    const { id } = await accept('prazo')
    expect((await found('prazo', id)).deadlineAt).toBe(null)
    await attempt(id)
    const { deadlineAt, startedAt } = await found('prazo', id)
    const seconds = (Number(deadlineAt) - Number(startedAt)) / 1000
    expect(Math.round(seconds)).toBe(LIMITS.jobMs / 1000)
    await expireLease(id)
    await attempt(id)
    expect((await found('prazo', id)).deadlineAt).toEqual(deadlineAt)
  })

  test('is what its figura says, and no more than the service grants', async () => {
    for (const [seconds, expected] of [
      [60, 60],
      [1_000_000, LIMITS.jobMs / 1000],
    ] as const) {
      const figura = `prazo_${seconds}`
      const { id } = await accept(figura)
      await sql`
        update bulk.contract set definition = ${JSON.stringify({ limits: { maxSeconds: seconds } })}::text::json
        where hash = ${figura}`
      await take(id)
      const { deadlineAt, startedAt } = await found(figura, id)
      expect(Math.round((Number(deadlineAt) - Number(startedAt)) / 1000)).toBe(expected)
    }
  })

  test('is over for jobs that were begun, and for none whose merge is decided', async () => {
    const [late, decided] = [await accept('tarde'), await accept('tarde')]
    for (const { id } of [late, decided]) await attempt(id)
    await sql`update bulk.job set deadline_at = now() - interval '1 s' where figura = 'tarde'`
    await sql`update bulk.job set decision = '{1}' where id = ${decided.id}`
    const overdue = await findOverdue(sql, 10)
    expect(overdue.map(({ id }) => id)).toEqual([late.id])
    const ended = await Promise.all(
      overdue.flatMap((job) => [1, 2].map(() => endOverdue(sql, job, PROBLEM, 'n'))),
    )
    expect(ended.filter(Boolean)).toMatchObject([{ id: late.id, status: 'erro' }])
    expect((await findUntold(sql, 10)).map(({ id }) => id)).toContain(late.id)
  })
})

describe('a cancelled job', () => {
  test('is no longer its holder’s, and cannot be failed or cancelled again', async () => {
    const { id, figura } = await accept('solta')
    const fence = { job: id, attempt: await attempt(id) }
    expect(await isOurs(sql, fence)).toBe(true)
    expect(await cancelJob(sql, { id, figura }, ASKED)).toMatchObject({ id, status: 'cancelado' })
    expect(await isOurs(sql, fence)).toBe(false)
    expect(await sql.begin((tx) => failJob(tx, fence, PROBLEM))).toBe(false)
    expect(await cancelJob(sql, { id, figura }, ASKED)).toBe(undefined)
    expect(await take(id)).toEqual({ kind: 'ended' })
  })

  test('of another figura stays as it is', async () => {
    const { id } = await accept('minha')
    expect(await cancelJob(sql, { id, figura: 'alheia' }, ASKED)).toBe(undefined)
    expect((await found('minha', id)).status).toBe('enfileirado')
  })
})

test('the end of a job from outside is on the disk when it is answered: no crash brings the job back', async () => {
  await sql`create table committed (mode text)`
  await sql`
    create function note_commit() returns trigger language plpgsql as $$
    begin insert into committed values (current_setting('synchronous_commit')); return null; end $$`
  await sql`
    create constraint trigger noted after update on bulk.job deferrable initially deferred
    for each row when (new.figura = 'gravada' and new.finished_at is not null) execute function note_commit()`
  const [cancelled, late] = [await accept('gravada'), await accept('gravada')]
  expect(await cancelJob(sql, cancelled, ASKED)).toMatchObject({ status: 'cancelado' })
  await attempt(late.id)
  await sql`update bulk.job set deadline_at = now() - interval '1 second' where id = ${late.id}`
  const overdue = (await findOverdue(sql, 10)).find(({ id }) => id === late.id)
  expect(overdue && (await endOverdue(sql, overdue, PROBLEM, 'n'))).toMatchObject({ status: 'erro' })
  expect((await sql`select mode from committed`).map(({ mode }) => mode)).toEqual(['on', 'on'])
  await sql`drop trigger noted on bulk.job`
})

describe('a paused figura', () => {
  test('has no job begun, neither by its own doorbell nor by another, and none rung for', async () => {
    const [first, second] = [await accept('pausa'), await accept('pausa')]
    await attempt(first.id)
    await expireLease(first.id)
    await pauseFigura(sql, 'pausa', 'somebody')
    expect(await take(second.id)).toEqual({ kind: 'paused' })
    // one that was begun before goes on
    expect((await claimJob(sql, { job: second.id, figura: 'pausa', orEarliest: true }, LIMITS)).kind).toBe(
      'claimed',
    )
    expect((await found('pausa', second.id)).status).toBe('enfileirado')
    await sql`update bulk.job set ring_at = now() - interval '1 h' where figura = 'pausa'`
    const rung = await takeStalled(sql, { overdueMs: 0, nextMs: 1000, limit: 100 })
    expect(rung.filter(({ figura }) => figura === 'pausa').map(({ id }) => id)).toEqual([first.id])
    await resumeFigura(sql, 'pausa')
    expect((await takeQueued(sql, 'pausa', 10)).map(({ id }) => id)).toEqual([second.id])
    expect((await take(second.id)).kind).toBe('claimed')
  })

  test('has a job begun that a later one waits for, which was begun before the pause', async () => {
    const [first, second, third] = [await accept('atras'), await accept('atras'), await accept('atras')]
    await attempt(second.id)
    await pauseFigura(sql, 'atras', 'somebody')
    await sql`update bulk.job set ring_at = now() - interval '1 h' where id in ${sql([first.id, third.id])}`
    const rung = await takeStalled(sql, { overdueMs: 0, nextMs: 1000, limit: 100 })
    expect(rung.filter(({ figura }) => figura === 'atras').map(({ id }) => id)).toEqual([first.id])
    const any = () => claimJob(sql, { job: third.id, figura: 'atras', orEarliest: true }, LIMITS)
    expect(await any()).toMatchObject({ kind: 'claimed', job: { id: first.id } })
    expect(await any()).toEqual({ kind: 'paused' })
  })
})

describe('a try that is put off', () => {
  test('is not counted, and the job is held back for as long', async () => {
    const { id } = await accept('cheia')
    const fence = { job: id, attempt: await attempt(id) }
    expect(await putOff(sql, fence, FULL)).toBe(true)
    const { attempts, waiting } = await found('cheia', id)
    expect([attempts, waiting?.reason, waiting?.detail]).toEqual([0, 'capacity', 'a full disk'])
    expect(await take(id)).toMatchObject({ kind: 'held' })
    // whoever lost the job in the meantime has nothing to put off
    await expireLease(id)
    await attempt(id)
    expect(await putOff(sql, { job: id, attempt: 7 }, FULL)).toBe(false)
  })

  test('counts its time from the first of them, until another reason comes', async () => {
    const { id } = await accept('desde')
    const again = async () => {
      await expireLease(id)
      return { job: id, attempt: await attempt(id) }
    }
    expect(await waitedFor(sql, id, 'capacity')).toBe(0)
    await putOff(sql, await again(), FULL)
    await sql`
      update bulk.job set waiting = jsonb_set(waiting, '{since}', to_jsonb(now() - interval '1 minute'))
      where id = ${id}`
    await putOff(sql, await again(), FULL)
    expect(await waitedFor(sql, id, 'capacity')).toBeGreaterThan(59_000)
    expect(await waitedFor(sql, id, 'source')).toBe(0)
    await putOff(sql, await again(), { ...FULL, reason: 'source' })
    expect(await waitedFor(sql, id, 'source')).toBeLessThan(10_000)
  })

  test('of a stage does not take the attempts below the one that made it', async () => {
    const { id } = await planned('etapa', 1)
    expect(await putOff(sql, { job: id, stage: 1 }, FULL)).toBe(true)
    expect((await found('etapa', id)).attempts).toBe(1)
  })

  test('of a chunk leaves the others alone, and is forgotten as soon as one is done', async () => {
    const { id } = await planned('pedacos', 2)
    const piece = { job: id, stage: 1, chunk: 0 }
    const holder = { holder: 'n/0', leaseMs: 30_000 }
    await claimChunk(sql, piece, holder)
    await putOff(sql, piece, FULL)
    expect(await claimChunk(sql, piece, holder)).toMatchObject({ kind: 'claimed', claims: 1 })
    expect((await found('pedacos', id)).waiting).toMatchObject({ reason: 'capacity' })
    await mark(id, 1)
    expect((await found('pedacos', id)).waiting).toBe(null)
  })
})

test('only a job that was given up is a dead letter, until it is told', async () => {
  const letters = async () => (await findUntold(sql, 100)).map(({ id }) => id)
  const [data, given] = [await accept('dados'), await accept('desistiu')]
  for (const [{ id }, code] of [
    [data, 'key_null'],
    [given, 'attempts_exhausted'],
  ] as const)
    await sql.begin((tx) => failJob(tx, { job: id, attempt: 0 }, { ...PROBLEM, code }))
  expect(await letters()).toContain(given.id)
  expect(await letters()).not.toContain(data.id)
  await markTold(sql, given.id)
  expect(await letters()).not.toContain(given.id)
})

async function found(figura: string, id: string) {
  const job = await findJob(sql, figura, id)
  if (!job) throw new Error('no such job')
  return job
}
