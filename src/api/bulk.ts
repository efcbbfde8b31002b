import { type Context, Elysia } from 'elysia'
import { readJobLog } from '../db/jobs.ts'
import type { ErrorCode } from '../errors.ts'
import type { Sql } from '../db/postgres.ts'
import type { Accept, Answered } from './accept.ts'
import { type BodyLimits, readJson } from './body.ts'
import type { CallerOf } from './caller.ts'
import { cursorOf, jobBefore } from './cursor.ts'
import { findJobs, requireJob } from './find-job.ts'
import { inTime } from './in-time.ts'
import { requireObject } from './invalid.ts'
import { keyOf } from './once.ts'
import { says } from './operation.ts'
import { readDetails } from './rejects-view.ts'
import { FiguraParams, JobParams } from './schema-parts.ts'
import { JobLog } from './load-schemas.ts'
import { Accepted, JobPage, JobQuery, JobStatus, Submission } from './schemas.ts'
import { isLive, jobView, logView, pollSeconds } from './view.ts'

export type BulkDependencies = {
  sql: Sql
  accept: Accept
  body: BodyLimits
  callerOf: CallerOf
}

/** Jobs on a page, unless told. */
const PAGE_JOBS = 50

/** The log of a job that was tried over and over is cut here; the table has all of it. */
const LOG_LINES = 10_000

/** The addresses that exporters use: send a file, ask how its job fares, list jobs. */
export function createBulk(dependencies: BulkDependencies) {
  const { sql, accept, callerOf } = dependencies
  return new Elysia({ name: 'bulk' })
    .put(
      '/:figura/_bulk',
      async ({ params, body, set, request }) => {
        const sender = { caller: callerOf(request), key: keyOf(request.headers) }
        return answerAccepted(set, await accept(params.figura, body, sender))
      },
      {
        params: FiguraParams,
        parse: [
          async ({ request }) =>
            requireObject(await readJson(request, dependencies.body), Submission['x-expected']),
        ],
        body: Submission,
        response: { 202: Accepted },
        detail: SUBMIT,
      },
    )
    .get(
      '/:figura/_bulk/status/:id',
      async ({ params, request, set }) => {
        const job = await inTime(requireJob(sql, callerOf(request).figuras, params))
        if (isLive(job.status)) {
          set.headers['cache-control'] = 'no-store'
          set.headers['retry-after'] = String(pollSeconds(job))
        }
        return jobView(job, await inTime(readDetails(sql, job)))
      },
      { params: JobParams, response: { 200: JobStatus }, detail: STATUS },
    )
    .get(
      '/:figura/_bulk/:id/log',
      async ({ params, request, set }) => {
        const job = await inTime(requireJob(sql, callerOf(request).figuras, params))
        if (isLive(job.status)) set.headers['cache-control'] = 'no-store'
        return logView(job, await inTime(readJobLog(sql, job.id, LOG_LINES)))
      },
      { params: JobParams, response: { 200: JobLog }, detail: LOG },
    )
    .get(
      '/:figura/_bulk',
      async ({ params, query, request, set }) => {
        const limit = Number(query.limit ?? PAGE_JOBS)
        const before = query.cursor === undefined ? undefined : jobBefore(query.cursor)
        // one more than asked for tells whether there is a next page
        const page = { status: query.status, before, limit: limit + 1 }
        const found = await inTime(findJobs(sql, callerOf(request).figuras, params.figura, page))
        const jobs = found.slice(0, limit)
        const last = found.length > limit ? jobs.at(-1) : undefined
        set.headers['cache-control'] = 'no-store'
        return { jobs: jobs.map((job) => jobView(job)), next: last ? cursorOf(last.id) : null }
      },
      { params: FiguraParams, query: JobQuery, response: { 200: JobPage }, detail: LIST },
    )
}

/** Answers that a job was accepted, and where to ask for it. */
export function answerAccepted(set: Context['set'], { job, replayed }: Answered): Accepted {
  if (replayed) set.headers['idempotency-replayed'] = 'true'
  set.status = 202
  set.headers.location = job.status_url
  set.headers['retry-after'] = '1'
  return job
}

/** What can be against a file that is sent. */
export const SENT_ERRORS: ErrorCode[] = [
  'body_not_json',
  'body_invalid',
  'body_too_large',
  'idempotency_key_invalid',
  'idempotency_key_reused',
  'body_slow',
  'queue_full',
  'mode_refused',
  'source_refused',
  'source_empty',
  'source_missing',
  'source_denied',
  'source_changed',
  'source_unreachable',
  'sha256_differs',
  'file_too_large',
  'file_not_parquet',
  'file_not_known',
  'file_corrupt',
  'schema_differs',
  'key_null',
  'required_null',
  'expression_wrong',
  'figura_unknown',
  'figura_broken',
  'unavailable',
]

/** The headers that a request which makes a job may have. */
export const SENT_TAKES = {
  'Idempotency-Key':
    'A name for this request, such as a UUID: 1 to 255 characters of ASCII without a space. Sent again with the ' +
    'same body it has the answer of the first time; with another body it is refused.',
}

/** The headers of the answer to it. */
export const SENT_HEADERS = {
  Location: 'The status_url.',
  'Retry-After': 'Seconds to wait before asking for the status.',
  'Idempotency-Replayed': 'true: the request was accepted before, under the same Idempotency-Key.',
}

const SUBMIT = says({
  id: 'submitFile',
  summary: 'Send a file',
  description:
    'Accepts the address of a file for loading. The job is safe from then on. Before, a short look is taken at the ' +
    'file: one that does not fit is refused at once, and no job is made; when the look takes too long the file is ' +
    'accepted, and the job tells. The body is read as JSON whatever its content type. With an Idempotency-Key the ' +
    'request can be sent again, should its answer be lost: it makes no second job.',
  tag: 'Jobs',
  scope: 'submit',
  errors: SENT_ERRORS,
  takes: SENT_TAKES,
  headers: SENT_HEADERS,
})

const STATUS = says({
  id: 'readJob',
  summary: 'Ask how a job fares',
  description: 'Ask again after the seconds that Retry-After names; it is absent once the job has ended.',
  tag: 'Jobs',
  scope: 'read',
  errors: ['job_unknown', 'figura_unknown', 'unavailable'],
  headers: { 'Retry-After': 'Seconds to wait before asking again; absent once the job has ended.' },
})

const LOG = says({
  id: 'readJobLog',
  summary: 'Read the log of a job',
  description: 'Attempts, phases with their times, warnings and errors; by which node and thread.',
  tag: 'Jobs',
  scope: 'read',
  errors: ['job_unknown', 'figura_unknown', 'unavailable'],
})

const LIST = says({
  id: 'listJobs',
  summary: 'List the jobs of a figura',
  description: 'Newest first. `next` is the cursor of the following page.',
  tag: 'Jobs',
  scope: 'read',
  errors: ['query_invalid', 'figura_unknown', 'unavailable'],
})
