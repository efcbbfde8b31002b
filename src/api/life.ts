import { Elysia } from 'elysia'
import type { Job } from '../db/jobs.ts'
import { cancelJob, type Ended } from '../db/life.ts'
import { findPause, pauseFigura, resumeFigura } from '../db/pause.ts'
import { BulkError } from '../errors.ts'
import { isFiguraName } from '../figura/load.ts'
import { isEnded } from '../life.ts'
import { readJson } from './body.ts'
import { answerAccepted, type BulkDependencies } from './bulk.ts'
import { figuraUnknown } from './find-figura.ts'
import { requireJob } from './find-job.ts'
import { inTime } from './in-time.ts'
import { invalid, requireObject } from './invalid.ts'
import { keyOf } from './once.ts'
import { CANCEL, PAUSE, RESUME, RETRY } from './life-docs.ts'
import { PauseState, Retry } from './life-schemas.ts'
import { readDetails } from './rejects-view.ts'
import { FiguraParams, JobParams } from './schema-parts.ts'
import { Accepted, JobStatus, type Submission, URL_EXPECTED } from './schemas.ts'
import { jobView, pauseView } from './view.ts'

export type LifeDependencies = BulkDependencies & {
  /** This node, as the log of a job names it. */
  node: string
  /** Told of a job that was ended here; what it has left is cleared, and the next one of its figura is rung for. */
  ended: (job: Ended) => void
  /** Told of a figura whose jobs may be begun again. */
  resumed: (figura: string) => void
}

/** The addresses that change a job's life after it was accepted. */
export function createLife(dependencies: LifeDependencies) {
  const { sql, accept, node, callerOf, ended } = dependencies
  return new Elysia({ name: 'life' })
    .delete(
      '/:figura/_bulk/:id',
      async ({ params, request }) => {
        const { figuras, name, allows } = callerOf(request)
        const { id, figura } = await inTime(requireJob(sql, figuras, params))
        const cancelled = await inTime(cancelJob(sql, { id, figura }, { node, by: name }))
        if (cancelled) ended(cancelled)
        const job = await inTime(requireJob(sql, figuras, params))
        if (!cancelled) throw notCancelled(job)
        // examples of what was left out are rows of the file
        if (!allows('read', figura)) return jobView(job)
        return jobView(job, await inTime(readDetails(sql, job)))
      },
      { params: JobParams, response: { 200: JobStatus }, detail: CANCEL },
    )
    .post(
      '/:figura/_bulk/:id/retry',
      async ({ params, body, set, request }) => {
        const caller = callerOf(request)
        const old = await inTime(requireJob(sql, caller.figuras, params))
        refuseRetry(old)
        const sender = { caller, key: keyOf(request.headers), retryOf: old.id }
        return answerAccepted(set, await accept(old.figura, sentAgain(old, body), sender))
      },
      {
        params: JobParams,
        parse: [
          async ({ request }) =>
            isEmpty(request)
              ? {}
              : requireObject(await readJson(request, dependencies.body), Retry['x-expected']),
        ],
        body: Retry,
        response: { 202: Accepted },
        detail: RETRY,
      },
    )
    .use(createPause(dependencies))
}

/** The addresses that hold the jobs of a figura back, and let them go on. */
function createPause({ sql, callerOf, resumed }: LifeDependencies) {
  const pauseState = async (figura: string): Promise<PauseState> => ({
    figura,
    paused: pauseView(await inTime(findPause(sql, figura))),
  })
  const isPaused = async (figura: string) =>
    isFiguraName(figura) && (await inTime(findPause(sql, figura))) !== undefined
  const callerFor = (request: Request, name: string) => {
    const caller = callerOf(request)
    if (!caller.figuras.get(name)) throw figuraUnknown(caller.figuras, name)
    return caller
  }
  return new Elysia({ name: 'pause' })
    .post(
      '/:figura/_bulk/pause',
      async ({ params: { figura }, request }) => {
        const { name } = callerFor(request, figura)
        await inTime(pauseFigura(sql, figura, name))
        return pauseState(figura)
      },
      { params: FiguraParams, response: { 200: PauseState }, detail: PAUSE },
    )
    .post(
      '/:figura/_bulk/resume',
      async ({ params: { figura }, request }) => {
        // one whose file is gone may still be paused, and its jobs would wait for good
        if (!(await isPaused(figura))) callerFor(request, figura)
        await inTime(resumeFigura(sql, figura))
        resumed(figura)
        return pauseState(figura)
      },
      { params: FiguraParams, response: { 200: PauseState }, detail: RESUME },
    )
}

function isEmpty(request: Request): boolean {
  return request.body === null || request.headers.get('content-length') === '0'
}

function notCancelled({ id, status }: Job): BulkError {
  const said = { subject: `The job ${id}`, expected: 'one that waits or is at work' }
  return isEnded(status)
    ? new BulkError('job_ended', { ...said, found: `that it ended as ${status}` }, { job_status: status })
    : new BulkError(
        'job_committing',
        { ...said, found: 'that its rows are being committed' },
        { job_status: status },
      )
}

function refuseRetry({ id, status }: Job): void {
  if (status === 'erro' || status === 'cancelado') return
  const said = { subject: `The job ${id}`, found: status, expected: 'erro or cancelado' }
  throw new BulkError(isEnded(status) ? 'job_completed' : 'job_not_ended', said, { job_status: status })
}

/**
 * What is sent for a job that is done again: as it was asked for, from where it was or from another address. A version
 * of the file that was asked for is not asked for again, since the file may have been mended.
 * @throws BulkError body_invalid where the old address has a part that is no address for long
 */
function sentAgain(old: Job, { url, urls, sha256 }: Retry): Submission {
  const asked = { mode: old.mode ?? undefined, dry_run: old.dryRun ?? undefined }
  if (url !== undefined || urls !== undefined) return { url, urls, sha256, ...asked }
  const kept = old.urls ?? [old.url]
  if (old.hadSecret) {
    const found = 'nothing, and the first address had a part that is secret'
    throw invalid('body_invalid', [{ field: 'url', found, expected: URL_EXPECTED }])
  }
  // beside several files it is refused, as it is by a PUT
  if (kept.length > 1) return { urls: kept, ...(sha256 && { sha256 }), ...asked }
  return { url: kept[0], sha256: sha256 ?? old.sha256 ?? undefined, ...asked }
}
