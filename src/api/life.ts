import { Elysia } from 'elysia'
import type { Job } from '../db/jobs.ts'
import { cancelJob, type Ended } from '../db/life.ts'
import type { Sql } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import type { Figuras } from '../figura/load.ts'
import { isEnded } from '../life.ts'
import { requireJob } from './find-job.ts'
import { inTime } from './in-time.ts'
import { says } from './operation.ts'
import { readDetails } from './rejects-view.ts'
import { JobParams } from './schema-parts.ts'
import { JobStatus } from './schemas.ts'
import { jobView } from './view.ts'

/** Told of a job that was ended here; what it has left is cleared, and the next one of its figura is rung for. */
export type OnEnded = (job: Ended) => void

export type LifeDependencies = {
  sql: Sql
  figuras: Figuras
  /** This node, as the log of a job names it. */
  node: string
  ended: OnEnded
}

/** The addresses that change a job's life after it was accepted. */
export function createLife({ sql, figuras, node, ended }: LifeDependencies) {
  return new Elysia({ name: 'life' }).delete(
    '/:figura/_bulk/:id',
    async ({ params }) => {
      const { id, figura } = await inTime(requireJob(sql, figuras, params))
      const cancelled = await inTime(cancelJob(sql, { id, figura }, { node, by: ANYBODY }))
      if (cancelled) ended(cancelled)
      const job = await inTime(requireJob(sql, figuras, params))
      if (!cancelled) throw notCancelled(job)
      return jobView(job, await inTime(readDetails(sql, job)))
    },
    { params: JobParams, response: { 200: JobStatus }, detail: CANCEL },
  )
}

/** Who asks, where nobody has to say it. */
const ANYBODY = 'anonymous'

function notCancelled({ id, status }: Job): BulkError {
  const said = { subject: `The job ${id}`, expected: 'one that waits or is at work' }
  if (isEnded(status))
    return new BulkError(
      'job_ended',
      { ...said, found: `that it ended as ${status}` },
      { job_status: status },
    )
  return new BulkError(
    'job_committing',
    { ...said, found: 'that its rows are being committed' },
    { job_status: status },
  )
}

const CANCEL = says({
  id: 'cancelJob',
  summary: 'Cancel a job',
  description:
    'Ends a job that waits or is at work, on whatever node: its table is as it was, and the next job of the figura ' +
    'has its turn. What a worker has begun of it stops within two seconds. A job whose rows are being committed can ' +
    'no longer be cancelled.',
  tag: 'Jobs',
  errors: ['job_unknown', 'job_ended', 'job_committing', 'figura_unknown', 'unavailable'],
})
