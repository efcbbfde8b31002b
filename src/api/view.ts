import type { Job, LogLine } from '../db/jobs.ts'
import type { Pause } from '../db/pause.ts'
import { publicUrl, type Status } from '../job.ts'
import type { JobLog } from './load-schemas.ts'
import { rejectedCount, rejectsPlace } from './rejects-view.ts'
import type { JobStatus } from './schemas.ts'

/** True until the job has ended: its status may differ at the next look. */
export function isLive(status: Status): boolean {
  return status === 'enfileirado' || status === 'processando'
}

/**
 * When to ask again, in seconds: a young job often, an old one seldom; a tenth of its age, from 1 s to 30 s.
 */
export function pollSeconds(job: Job, nowMs = Date.now()): number {
  return Math.min(30, Math.max(1, Math.round((nowMs - job.createdAt.getTime()) / 10_000)))
}

/** What is read of a job beside its row; in a list it is left out. */
export type Details = Pick<JobStatus, 'files' | 'rejects'> & {
  /** Since when its figura is paused. */
  paused?: Date
  /** The id of the earlier job that it waits for. */
  earlier?: string
}

/** A job as exporters see it. Every field is there; what is not known (yet) is null. */
export function jobView(job: Job, details: Details = briefly(job), nowMs = Date.now()): JobStatus {
  const planned = job.rows !== null
  return {
    id: job.id,
    figura: job.figura,
    status: job.status,
    phase: job.phase,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
    source: {
      url: publicUrl(job.url),
      bytes: job.bytes,
      rows: job.rows,
      row_groups: job.rowGroups,
      etag: job.etag,
    },
    progress: {
      chunks: { done: job.chunksDone, total: planned ? job.chunksTotal : null },
      rows: { done: job.rowsDone, total: job.rows },
      percent: percent(job),
    },
    mode: job.mode,
    dry_run: job.dryRun,
    format: job.format,
    files: details.files,
    stats: {
      read: job.read,
      rejected: job.rejected,
      duplicates: job.duplicates,
      staged: job.staged,
      inserted: job.inserted,
      updated: job.updated,
      unchanged: job.unchanged,
      stale: job.stale,
      deleted: job.deleted,
      removed: job.removed,
    },
    rejects: details.rejects,
    impact: job.dryRun === 'impact' ? job.impact : null,
    timings_ms: timings(job, nowMs),
    attempts: job.attempts,
    retry_of: job.retryOf,
    deadline: job.deadlineAt?.toISOString() ?? null,
    waiting: waitingView(job, details, nowMs),
    error: job.error,
  }
}

/** Why nobody works on a job at this moment, where that is not for want of a worker. */
function waitingView(job: Job, { paused, earlier }: Details, nowMs: number): JobStatus['waiting'] {
  const { status, waiting } = job
  if (status === 'enfileirado' && paused)
    return {
      reason: 'paused',
      detail: 'No job of the figura is begun.',
      since: paused.toISOString(),
      until: null,
    }
  if (job.phase === 'wait' && earlier)
    return {
      reason: 'order',
      detail: `The job ${earlier} was accepted earlier, and has to end first.`,
      since: stagedAt(job).toISOString(),
      until: null,
    }
  if (!isLive(status) || !waiting || Date.parse(waiting.until) < nowMs) return null
  const { reason, detail, since, until } = waiting
  return { reason, detail, since: new Date(since).toISOString(), until: new Date(until).toISOString() }
}

function stagedAt({ stagingAt, stageMs, createdAt }: Job): Date {
  return stagingAt ? new Date(stagingAt.getTime() + (stageMs ?? 0)) : createdAt
}

/** Since when the jobs of a figura are held back, as it is answered. */
export function pauseView(pause: Pause | undefined): { at: string; by: string } | null {
  return pause ? { at: pause.at.toISOString(), by: pause.by } : null
}

function briefly(job: Job): Details {
  return { files: null, rejects: rejectedCount(job) > 0 ? { ...rejectsPlace(job), by: null } : null }
}

/** The job's log. Its first line comes from the row, since accepting a job writes one row and no more. */
export function logView(job: Job, lines: LogLine[]): JobLog {
  const accepted = {
    at: job.createdAt.toISOString(),
    level: 'info' as const,
    node: null,
    thread: null,
    attempt: 0,
    phase: null,
    message: 'accepted',
    ms: null,
    data: { url: publicUrl(job.url), ...(job.sha256 === null ? {} : { sha256: job.sha256 }) },
  }
  return {
    id: job.id,
    figura: job.figura,
    lines: [accepted, ...lines.map((line) => ({ ...line, at: line.at.toISOString() }))],
  }
}

/** Staging and merging take about as long as each other: 3.0 s and 3.1 s to 11 s of 2,000,000 rows. */
const STAGING_PERCENT = 50

/** A file that goes into an empty table at once has only its end before it when all rows are there. */
const DIRECT_PERCENT = 99

function percent(job: Job): number {
  if (job.status === 'completo') return 100
  if (!job.rows) return 0
  // one decimal: a huge file is seen to move
  const share = job.stage === null ? DIRECT_PERCENT : STAGING_PERCENT
  return Math.round((share * 10 * job.rowsDone) / job.rows) / 10
}

function timings(job: Job, nowMs: number): JobStatus['timings_ms'] {
  const created = job.createdAt.getTime()
  const ended = job.finishedAt?.getTime() ?? nowMs
  // the times are PostgreSQL's and `now` is ours: two clocks may differ by more than the job is old
  const since = (start: number, end: number) => Math.max(0, Math.round(end - start))
  const staging = job.phase === 'stage' && job.stagingAt ? since(job.stagingAt.getTime(), nowMs) : null
  return {
    queue: since(created, job.startedAt?.getTime() ?? ended),
    plan: job.planMs,
    stage: job.stageMs ?? staging,
    merge: job.mergeMs,
    total: since(created, ended),
  }
}
