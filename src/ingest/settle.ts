import { releaseLease, type ClaimedJob, type Fence } from '../db/claims.ts'
import { failJob } from '../db/ends.ts'
import { sqlState } from '../db/postgres.ts'
import { putOff, waitedFor } from '../db/waiting.ts'
import { BulkError, type Problem } from '../errors.ts'
import type { Column } from '../figura/types.ts'
import { sortFault } from '../faults.ts'
import type { Outcome, WaitReason } from '../job.ts'
import { errorFields, messageOf } from '../log.ts'
import type { Context } from './context.ts'
import { clearEnded, nextTurn } from './ended.ts'
import { Interrupted, JobLost } from './lease.ts'
import { refusalOf } from './refusal.ts'
import type { JobLog } from './report.ts'

/** Waits between tries of the same work, in milliseconds: 1, 2, 4 … seconds, at most a minute. */
const RETRY_MIN_MS = 1000
const RETRY_MAX_MS = 60_000

/** What an error means for a job. */
type Verdict =
  | { kind: 'drop' }
  | { kind: 'hand back' }
  | { kind: 'fail'; error: BulkError }
  | { kind: 'retry'; delayMs: number }
  | { kind: 'put off'; reason: WaitReason }

/**
 * What an error means: the data's fault ends the job, a passing fault is tried again, and so is one that nobody
 * foresaw, until the tries are used up. The source's fault, and the want of room, have bounds of their own.
 * @param tries how often this piece of work was claimed so far; `columns` are those of the figura
 */
export function judge(
  error: unknown,
  { tries, triesMax, columns = [] }: { tries: number; triesMax: number; columns?: Column[] },
): Verdict {
  if (error instanceof JobLost) return { kind: 'drop' }
  if (error instanceof Interrupted) return { kind: 'hand back' }
  const sort = sortFault(error)
  const again: Verdict = { kind: 'retry', delayMs: Math.min(RETRY_MIN_MS * 2 ** (tries - 1), RETRY_MAX_MS) }
  if (tries === 1 && tries < triesMax && sqlState(error) === UNIQUE_VIOLATION) return again
  if (sort === 'never')
    return { kind: 'fail', error: error instanceof BulkError ? error : tableRefused(error, columns) }
  if (sort === 'source' || sort === 'capacity') return { kind: 'put off', reason: sort }
  if (tries >= triesMax) return { kind: 'fail', error: exhausted(tries, error) }
  return again
}

/**
 * Met by a MERGE too when somebody else inserts one of its keys at the same time: the next try finds that row, and
 * updates it. What a try meets again is the data's fault.
 */
const UNIQUE_VIOLATION = '23505'

/** Carries out the verdict on a failed piece of work; never throws. */
export async function settle(
  error: unknown,
  {
    job,
    fence,
    tries,
    context,
    report,
  }: { job: ClaimedJob; fence: Fence; tries: number; context: Context; report: JobLog },
): Promise<Outcome> {
  const { columns } = job.definition
  const verdict = judge(error, { tries, triesMax: context.config.bounds.attempts, columns })
  const phase = job.phase ?? 'plan'
  switch (verdict.kind) {
    case 'drop':
      context.log.info('a piece of work was dropped: its job ended, or somebody else has it', { job: job.id })
      // whoever ended the job could not drop what was still in use here
      await clearEnded(context.sql, job, context.log)
      return { kind: 'done', release: [] }
    case 'hand back':
      report.info(phase, 'the worker stops; the work is handed back, and costs no try')
      await releaseLease(context.sql, fence, { uncount: true }).catch(() => {})
      return { kind: 'again', delayMs: 0, reason: 'the worker stops' }
    case 'retry':
      report.warn(phase, 'an attempt failed; it is tried again', {
        ...errorFields(error),
        error: shown(error),
        stack: undefined,
        delayMs: verdict.delayMs,
      })
      if (sortFault(error) === undefined) context.log.error('an unforeseen error', errorFields(error))
      await releaseLease(context.sql, fence, { delayMs: verdict.delayMs }).catch(() => {})
      return {
        kind: 'again',
        delayMs: verdict.delayMs,
        reason: messageOf(error),
      }
    case 'put off':
      return waitFor(error, verdict.reason, { job, fence, context, report }).catch((failure: unknown) =>
        putBack(failure, { job, fence, context }),
      )
    case 'fail':
      try {
        return await fail(job, fence, verdict.error, { context, report })
      } catch (failure) {
        return putBack(failure, { job, fence, context })
      }
  }
}

type Piece = { job: ClaimedJob; fence: Fence; context: Context }

async function putBack(failure: unknown, { job, fence, context }: Piece): Promise<Outcome> {
  context.log.error('cannot record that a job failed; it is tried again', {
    job: job.id,
    ...errorFields(failure),
  })
  await releaseLease(context.sql, fence).catch(() => {})
  return { kind: 'again', delayMs: RETRY_MIN_MS, reason: 'the failure could not be recorded' }
}

/** Puts a try off that is no fault of the job: without an end for want of room, for a while where the source fails. */
async function waitFor(
  error: unknown,
  reason: WaitReason,
  { job, fence, context, report }: Piece & { report: JobLog },
): Promise<Outcome> {
  const { sql, config } = context
  const detail = shown(error)
  const waitedMs = await waitedFor(sql, job.id, reason)
  const delayMs = Math.round(Math.min(Math.max(WAIT_MIN_MS[reason], waitedMs), RETRY_MAX_MS))
  if (reason === 'source' && waitedMs + delayMs > config.bounds.sourceMs)
    return fail(job, fence, gaveUpSource(waitedMs, error), { context, report })
  if (!(await putOff(sql, fence, { reason, detail, delayMs }))) return { kind: 'done', release: [] }
  report.warn(job.phase ?? 'plan', WAITING[reason], {
    error: detail,
    delayMs,
    waitedMs: Math.round(waitedMs),
  })
  return { kind: 'again', delayMs, reason: detail }
}

/** The first wait, in milliseconds; each further one is as long as the fault has lasted by then, at most a minute. */
const WAIT_MIN_MS = { source: 1000, capacity: 5000 }

const WAITING = {
  source: 'the source fails; it is tried again, and that costs no attempt',
  capacity: 'there is no room; the job waits for it, and that costs no attempt',
} as const

function gaveUpSource(sinceMs: number, last: unknown): BulkError {
  const found = `a source that has failed for ${Math.round(sinceMs / 1000)} s, the last time with "${shown(last)}"`
  return givenUp(found, last)
}

/** Ends a job in `erro`, with its stage gone, and lets the next job of the figura merge. */
export async function fail(
  job: ClaimedJob,
  fence: Fence,
  error: BulkError,
  { context, report }: { context: Context; report: JobLog },
): Promise<Outcome> {
  const { sql } = context
  const problem: Problem = { ...error.problem(), phase: job.phase }
  const failed = await sql.begin((tx) => failJob(tx, fence, problem, job))
  if (failed) {
    report.error(job.phase ?? 'plan', error.message, { code: error.code })
    context.tell({ figura: job.figura, job: job.id, status: 'erro' })
  }
  // outside the transaction: a stage that a chunk still copies into is locked, and the job's end must not wait for it
  const stage = 'stage' in fence ? fence.stage : job.stage
  if (failed) await clearEnded(sql, { id: job.id, stage }, context.log)
  return { kind: 'done', release: await nextTurn(sql, job.figura) }
}

/** The error of a job whose tries are used up; `last` is what went wrong the last time, if that is known. */
export function exhausted(tries: number, last?: unknown): BulkError {
  const found =
    last instanceof Error
      ? `${tries} failed tries, the last with "${shown(last)}"`
      : `${tries} tries that ended without a word`
  return givenUp(found, last)
}

function givenUp(found: string, last: unknown): BulkError {
  const code = last instanceof BulkError ? last.code : undefined
  return new BulkError(
    'attempts_exhausted',
    { subject: 'The job', found, expected: 'one that succeeds' },
    { last_code: code },
    { cause: last },
  )
}

/** DuckDB's advice and the paths of this machine are the operator's: the service's own log has them. */
function shown(error: unknown): string {
  if (error instanceof BulkError) return error.finding
  const message = messageOf(error)
  return (message.split('\n')[0] ?? '').replace(/(^|[\s'"(=])\/[^\s'")]+/g, '$1…')
}

function tableRefused(error: unknown, columns: Column[]): BulkError {
  return new BulkError(
    'table_refused',
    {
      subject: 'The table',
      found: `that PostgreSQL refuses the rows (${refusalOf(error, columns)})`,
      expected: 'rows that it takes',
    },
    {},
    { cause: error },
  )
}
