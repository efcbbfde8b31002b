import { expect } from 'bun:test'
import { claimJob, type Chunk } from '../../src/db/claims.ts'
import type { MergeStats } from '../../src/db/ends.ts'
import { findJob, insertJob, saveContract } from '../../src/db/jobs.ts'
import { markDone, recordPlan } from '../../src/db/marks.ts'
import type { Sql } from '../../src/db/postgres.ts'
import { smallFigura } from '../support/figuras.ts'

export const LIMITS = { leaseMs: 30_000, attempts: 3, jobMs: 3_600_000 }
/** Statistics of a file of new rows. */
export function allInserted(rows: number): MergeStats {
  const none = { rejected: 0, duplicates: 0, updated: 0, unchanged: 0, stale: 0, deleted: 0, removed: 0 }
  return { ...none, read: rows, staged: rows, inserted: rows, mergeMs: 1 }
}
export const PROBLEM = {
  type: '/problems/internal',
  title: '',
  status: 500,
  code: 'internal' as const,
  detail: '',
}

/** Rows of jobs in a database, in the states that tests begin with. */
export function jobRows(database: () => Sql) {
  async function accept(figura: string): Promise<{ id: string; figura: string; seq: number }> {
    const id = Bun.randomUUIDv7()
    await saveContract(database(), { hash: figura, figura: smallFigura(figura) })
    await insertJob(database(), { id, figura, contract: figura, url: 's3://b/k', sha256: null })
    const job = await findJob(database(), figura, id)
    return { id, figura, seq: job?.seq ?? 0 }
  }

  /** A job of `chunks` chunks of 10 rows, in its first stage. */
  async function planned(figura: string, chunks: number, released = chunks) {
    const job = await accept(figura)
    await take(job.id)
    const list = Array.from({ length: chunks }, (_, no): Chunk & { released: boolean } => {
      const range = { file: 0, rowStart: no * 10, rowEnd: no * 10 + 10, byteStart: null, byteEnd: null }
      return { no, kind: 'rows', ...range, released: no < released }
    })
    const plan = {
      bytes: 1,
      rows: chunks * 10,
      rowGroups: chunks,
      etag: null,
      format: 'parquet',
      planMs: 1,
      chunks: list,
    } as const
    expect(await database().begin((tx) => recordPlan(tx, { job: job.id, attempt: 1 }, plan))).toBe(true)
    return job
  }

  function mark(job: string, no: number) {
    const chunks = [{ no, kind: 'rows' as const, rows: 10, read: 10, rejected: 0 }]
    return database().begin(async (tx) => markDone(tx, { job, stage: 1, chunks }, { release: 1 }))
  }

  /** Claims this very job. */
  function take(id: string) {
    return claimJob(database(), { job: id, figura: '', orEarliest: false }, LIMITS)
  }

  async function attempt(id: string): Promise<number> {
    const claim = await take(id)
    if (claim.kind !== 'claimed') throw new Error(`not claimed: ${claim.kind}`)
    return claim.job.attempts
  }

  async function expireLease(id: string): Promise<void> {
    await database()`update bulk.job set lease_until = now() - interval '1 second' where id = ${id}`
  }
  return { accept, planned, mark, take, attempt, expireLease }
}
