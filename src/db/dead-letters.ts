import type { Problem } from '../errors.ts'
import type { Sql } from './postgres.ts'

/** A job that was given up, as it is told. */
export type DeadJob = {
  id: string
  figura: string
  url: string
  attempts: number
  createdAt: Date
  finishedAt: Date
  error: Problem
}

/** Jobs that were given up and not yet told, the oldest first. */
export async function findUntold(sql: Sql, limit: number): Promise<DeadJob[]> {
  return sql<DeadJob[]>`
    select id, figura, url, attempts, created_at, finished_at, error from bulk.job
    where dead_letter = 'due' order by finished_at limit ${limit}
  `
}

/** Says that a job was told. */
export async function markTold(sql: Sql, job: string): Promise<void> {
  await sql`update bulk.job set dead_letter = 'sent' where id = ${job} and dead_letter = 'due'`
}
