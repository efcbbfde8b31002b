import { findJob, type FoundJob, type Job, listJobs } from '../db/jobs.ts'
import type { Sql } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import { type Figuras, isFiguraName } from '../figura/load.ts'
import { figuraUnknown } from './find-figura.ts'

/**
 * The job of that figura with that id. The row decides: it can be read though the figura's file is broken or
 * gone.
 * @throws BulkError job_unknown, or figura_unknown where there is no such figura either
 */
export async function requireJob(
  sql: Sql,
  figuras: Figuras,
  { figura, id }: { figura: string; id: string },
): Promise<FoundJob> {
  // PostgreSQL need not be asked for other names, and would choke on a NUL
  const job = isFiguraName(figura) && UUID.test(id) ? await findJob(sql, figura, id) : undefined
  if (job) return job
  if (!figuras.get(figura)) throw figuraUnknown(figuras, figura)
  throw new BulkError('job_unknown', {
    subject: `The figura ${figura}`,
    found: `no job ${JSON.stringify(id)}`,
    expected: 'the id of one of its jobs',
  })
}

/**
 * A page of the jobs of a figura, which need not have a file any more.
 * @throws BulkError figura_unknown, where there is neither a file nor any job
 */
export async function findJobs(
  sql: Sql,
  figuras: Figuras,
  figura: string,
  page: Parameters<typeof listJobs>[2],
): Promise<Job[]> {
  const jobs = isFiguraName(figura) ? await listJobs(sql, figura, page) : []
  if (jobs.length > 0 || figuras.get(figura)) return jobs
  const any = isFiguraName(figura) ? await listJobs(sql, figura, ANY) : []
  if (any.length === 0) throw figuraUnknown(figuras, figura)
  return jobs
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const ANY = { status: undefined, before: undefined, limit: 1 }
