import { Elysia } from 'elysia'
import { findJob, insertJob, type Job, listJobs, readJobLog, saveContract } from '../db/jobs.ts'
import { type Sql, sqlState } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import type { Figuras } from '../figura/load.ts'
import { errorFields, type Log } from '../log.ts'
import { checkSource } from '../source/check.ts'
import { readJson } from './body.ts'
import { cursorOf, jobBefore } from './cursor.ts'
import { figuraUnknown, findFigura, type ServedFigura } from './find.ts'
import { says } from './operation.ts'
import {
  Accepted,
  FiguraParams,
  JobLog,
  JobPage,
  JobParams,
  JobQuery,
  JobStatus,
  Submission,
} from './schemas.ts'
import { isLive, jobView, logView } from './view.ts'

/** Called when a job's row is committed. The job is accepted whatever comes of it. */
export type OnAccepted = (job: { id: string; figura: string; ring: 0 }) => void

export type BulkDependencies = {
  sql: Sql
  figuras: Figuras
  allowLoopback: boolean
  accepted: OnAccepted
  log: Log
  bodyBytes: number
}

/** The log of a job that was tried over and over is cut here; the table has all of it. */
const LOG_LINES = 10_000

/** The addresses that exporters use: send a file, ask how its job fares, list jobs. */
export function createBulk({ sql, figuras, allowLoopback, accepted, log, bodyBytes }: BulkDependencies) {
  const contracts = new Set<string>()
  return new Elysia({ name: 'bulk' })
    .put(
      '/:figura/_bulk',
      async ({ params, body, set }) => {
        const served = findFigura(figuras, params.figura)
        checkSource(body.url, served.figura.sources, allowLoopback)
        const job = {
          id: Bun.randomUUIDv7(),
          figura: served.name,
          contract: served.hash,
          url: body.url,
          sha256: body.sha256?.toLowerCase() ?? null,
        }
        await keepJob(sql, contracts, served, job)
        tell(accepted, { id: job.id, figura: job.figura, ring: 0 }, log)
        const statusUrl = `/${job.figura}/_bulk/status/${job.id}`
        set.status = 202
        set.headers.location = statusUrl
        set.headers['retry-after'] = '1'
        return { id: job.id, figura: job.figura, status: 'enfileirado' as const, status_url: statusUrl }
      },
      {
        params: FiguraParams,
        parse: [({ request }) => readJson(request, bodyBytes)],
        body: Submission,
        response: { 202: Accepted },
        detail: SUBMIT,
      },
    )
    .get(
      '/:figura/_bulk/status/:id',
      async ({ params, set }) => {
        const job = await requireJob(sql, figuras, params)
        if (isLive(job.status)) {
          set.headers['cache-control'] = 'no-store'
          set.headers['retry-after'] = String(pollSeconds(job))
        }
        return jobView(job)
      },
      { params: JobParams, response: { 200: JobStatus }, detail: STATUS },
    )
    .get(
      '/:figura/_bulk/:id/log',
      async ({ params, set }) => {
        const job = await requireJob(sql, figuras, params)
        if (isLive(job.status)) set.headers['cache-control'] = 'no-store'
        return logView(job, await readJobLog(sql, job.id, LOG_LINES))
      },
      { params: JobParams, response: { 200: JobLog }, detail: LOG },
    )
    .get(
      '/:figura/_bulk',
      async ({ params, query, set }) => {
        const limit = Number(query.limit ?? 50)
        const before = query.cursor === undefined ? undefined : jobBefore(query.cursor)
        // one more than asked for tells whether there is a next page
        const found = await findJobs(sql, figuras, params.figura, {
          status: query.status,
          before,
          limit: limit + 1,
        })
        const page = found.slice(0, limit)
        const last = found.length > limit ? page.at(-1) : undefined
        set.headers['cache-control'] = 'no-store'
        return { jobs: page.map((job) => jobView(job)), next: last ? cursorOf(last.id) : null }
      },
      { params: FiguraParams, query: JobQuery, response: { 200: JobPage }, detail: LIST },
    )
}

const SUBMIT = says({
  id: 'submitFile',
  summary: 'Send a file',
  description:
    'Accepts the address of a parquet file for loading, and answers at once. The job is safe from then on. The body is ' +
    'read as JSON whatever its content type.',
  tag: 'Jobs',
  errors: [
    'body_not_json',
    'body_invalid',
    'body_too_large',
    'source_refused',
    'figura_unknown',
    'figura_broken',
    'unavailable',
  ],
  headers: { Location: 'The status_url.', 'Retry-After': 'Seconds to wait before asking for the status.' },
})

const STATUS = says({
  id: 'readJob',
  summary: 'Ask how a job fares',
  description: 'Ask again after the seconds that Retry-After names; it is absent once the job has ended.',
  tag: 'Jobs',
  errors: ['job_unknown', 'figura_unknown', 'unavailable'],
  headers: { 'Retry-After': 'Seconds to wait before asking again; absent once the job has ended.' },
})

const LOG = says({
  id: 'readJobLog',
  summary: 'Read the log of a job',
  description: 'Attempts, phases with their times, warnings and errors; by which node and thread.',
  tag: 'Jobs',
  errors: ['job_unknown', 'figura_unknown', 'unavailable'],
})

const LIST = says({
  id: 'listJobs',
  summary: 'List the jobs of a figura',
  description: 'Newest first. `next` is the cursor of the following page.',
  tag: 'Jobs',
  errors: ['query_invalid', 'figura_unknown', 'unavailable'],
})

type NewJob = Parameters<typeof insertJob>[1]

/** One INSERT, once the contract is known to be kept; `contracts` are the hashes that this process has seen kept. */
async function keepJob(sql: Sql, contracts: Set<string>, served: ServedFigura, job: NewJob): Promise<void> {
  if (contracts.has(served.hash)) {
    try {
      return await insertJob(sql, job)
    } catch (error) {
      // 23503, foreign_key_violation: somebody has cleared the contracts since
      if (sqlState(error) !== '23503') throw error
    }
  }
  await saveContract(sql, served)
  contracts.add(served.hash)
  await insertJob(sql, job)
}

/** The answer neither waits for the doorbell nor fails with it: a job that nobody rang for is found by the sweeper. */
function tell(accepted: OnAccepted, job: Parameters<OnAccepted>[0], log: Log): void {
  Promise.resolve(job)
    .then(accepted)
    .catch((error: unknown) =>
      log.warn('The doorbell of a job failed', { job: job.id, ...errorFields(error) }),
    )
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The row decides: a job can be read though the file of its figura is broken or gone. */
async function requireJob(sql: Sql, figuras: Figuras, params: { figura: string; id: string }): Promise<Job> {
  const job =
    isName(params.figura) && UUID.test(params.id) ? await findJob(sql, params.figura, params.id) : undefined
  if (job) return job
  if (!figuras.get(params.figura)) throw figuraUnknown(figuras, params.figura)
  throw new BulkError('job_unknown', {
    subject: `The figura ${params.figura}`,
    found: `no job ${JSON.stringify(params.id)}`,
    expected: 'the id of one of its jobs',
  })
}

async function findJobs(
  sql: Sql,
  figuras: Figuras,
  figura: string,
  page: Parameters<typeof listJobs>[2],
): Promise<Job[]> {
  const jobs = isName(figura) ? await listJobs(sql, figura, page) : []
  if (jobs.length > 0 || figuras.get(figura)) return jobs
  const any = isName(figura)
    ? await listJobs(sql, figura, { status: undefined, before: undefined, limit: 1 })
    : []
  if (any.length === 0) throw figuraUnknown(figuras, figura)
  return jobs
}

/** Names that a figura can have; PostgreSQL need not be asked for others, and would choke on a NUL. */
function isName(figura: string): boolean {
  return /^\w+$/.test(figura)
}

/** A young job is asked after often, an old one seldom: every tenth of its age, from 1 s to 30 s. */
function pollSeconds(job: Job): number {
  return Math.min(30, Math.max(1, Math.round((Date.now() - job.createdAt.getTime()) / 10_000)))
}
