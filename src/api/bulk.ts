import { Elysia } from 'elysia'
import { readJobLog } from '../db/jobs.ts'
import type { ErrorCode } from '../errors.ts'
import { type AcceptDependencies, acceptJob } from './accept.ts'
import { readJson } from './body.ts'
import { cursorOf, jobBefore } from './cursor.ts'
import { findJobs, requireJob } from './find-job.ts'
import { inTime } from './in-time.ts'
import { requireObject } from './invalid.ts'
import { says } from './operation.ts'
import { readDetails } from './rejects-view.ts'
import { FiguraParams, JobParams } from './schema-parts.ts'
import { JobLog } from './load-schemas.ts'
import { Accepted, JobPage, JobQuery, JobStatus, Submission } from './schemas.ts'
import { isLive, jobView, logView, pollSeconds } from './view.ts'

export type BulkDependencies = AcceptDependencies & {
  /** The most that a body may have. */
  bodyBytes: number
}

/** Jobs on a page, unless told. */
const PAGE_JOBS = 50

/** The log of a job that was tried over and over is cut here; the table has all of it. */
const LOG_LINES = 10_000

/** The addresses that exporters use: send a file, ask how its job fares, list jobs. */
export function createBulk(dependencies: BulkDependencies) {
  const { sql, figuras, bodyBytes } = dependencies
  const accept = acceptJob(dependencies)
  return new Elysia({ name: 'bulk' })
    .put(
      '/:figura/_bulk',
      async ({ params, body, set }) => {
        const job = await accept(params.figura, body)
        set.status = 202
        set.headers.location = job.status_url
        set.headers['retry-after'] = '1'
        return job
      },
      {
        params: FiguraParams,
        parse: [
          async ({ request }) => requireObject(await readJson(request, bodyBytes), Submission['x-expected']),
        ],
        body: Submission,
        response: { 202: Accepted },
        detail: SUBMIT,
      },
    )
    .get(
      '/:figura/_bulk/status/:id',
      async ({ params, set }) => {
        const job = await inTime(requireJob(sql, figuras, params))
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
      async ({ params, set }) => {
        const job = await inTime(requireJob(sql, figuras, params))
        if (isLive(job.status)) set.headers['cache-control'] = 'no-store'
        return logView(job, await inTime(readJobLog(sql, job.id, LOG_LINES)))
      },
      { params: JobParams, response: { 200: JobLog }, detail: LOG },
    )
    .get(
      '/:figura/_bulk',
      async ({ params, query, set }) => {
        const limit = Number(query.limit ?? PAGE_JOBS)
        const before = query.cursor === undefined ? undefined : jobBefore(query.cursor)
        // one more than asked for tells whether there is a next page
        const page = { status: query.status, before, limit: limit + 1 }
        const found = await inTime(findJobs(sql, figuras, params.figura, page))
        const jobs = found.slice(0, limit)
        const last = found.length > limit ? jobs.at(-1) : undefined
        set.headers['cache-control'] = 'no-store'
        return { jobs: jobs.map((job) => jobView(job)), next: last ? cursorOf(last.id) : null }
      },
      { params: FiguraParams, query: JobQuery, response: { 200: JobPage }, detail: LIST },
    )
}

/** What can be against a file that is sent. */
export const SENT_ERRORS: ErrorCode[] = [
  'body_not_json',
  'body_invalid',
  'body_too_large',
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

const SUBMIT = says({
  id: 'submitFile',
  summary: 'Send a file',
  description:
    'Accepts the address of a file for loading. The job is safe from then on. Before, a short look is taken at the ' +
    'file: one that does not fit is refused at once, and no job is made; when the look takes too long the file is ' +
    'accepted, and the job tells. The body is read as JSON whatever its content type.',
  tag: 'Jobs',
  errors: SENT_ERRORS,
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
