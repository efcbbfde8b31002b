import type { Chunk, ClaimedJob } from '../db/claims.ts'
import { hasEarlier, type MergeStats } from '../db/ends.ts'
import { beginFirst, completeFirst, tellRows } from '../db/firsts.ts'
import { lockForMerge } from '../db/locks.ts'
import { sqlState, type Transaction } from '../db/postgres.ts'
import { insertedInTransaction, isEmpty } from '../db/targets.ts'
import { beginUntil } from '../db/until.ts'
import { BulkError } from '../errors.ts'
import { loadOf } from '../figura/types.ts'
import { messageOf } from '../log.ts'
import type { Context } from './context.ts'
import type { OpenFile } from './file.ts'
import { JobLost } from './lease.ts'
import { rowsDropped, sumUp, type Copied } from './merge-stats.ts'
import { modeOf } from './served.ts'
import { GONE_COLUMN, ROW_COLUMN } from './sql.ts'
import { targetName } from './sql-postgres.ts'
import { sourcesOf } from './rules.ts'
import { copyRows, runCheck } from './stage.ts'
import type { Running } from './work.ts'

/**
 * Loads a file into a table that has no rows yet by COPY into the table itself, in one transaction on one connection:
 * there is nothing to merge with, so no row is written twice. That each key is there once, the table's index tells on
 * the way.
 *
 * Undefined: the table has rows, an earlier job of the figura is at work, or the table refuses the rows or the COPY;
 * nothing is done, and by way of a stage they go in or it is known why not.
 * @throws BulkError when the data is at fault; JobLost; PostgreSQL's own errors
 */
export async function loadFirst(
  job: ClaimedJob,
  { file, chunks, planMs }: { file: OpenFile; chunks: Chunk[]; planMs: number },
  context: Context,
  { report, signal }: Running,
): Promise<MergeStats | undefined> {
  const { sql } = context
  if (!isPlain(job, file)) return undefined
  if (!(await beginUntil(sql, signal, (tx) => isFree(tx, job)))) return undefined
  const started = performance.now()
  const { rows, rowGroups } = file.shape
  const fence = { job: job.id, attempt: job.attempts }
  const checks = chunks.filter((chunk) => chunk.kind !== 'rows').length
  const { bytes, etag } = file.source
  const facts = { bytes, rows, rowGroups: rowGroups.length, etag, format: file.format, planMs, checks }
  if (!(await beginFirst(sql, fence, facts))) throw new JobLost('the job was claimed anew')
  job.phase = 'merge'

  const columns = sourcesOf(file.columns)
  await using pieces = file.pieces({ rowStart: 0, rowEnd: rows, columns }, signal)
  const digest = digestOf(chunks, job, { file, report, signal }, context)
  try {
    await pieces.ready()
    // awaited here: the pieces are given up when this function returns
    return await beginUntil(sql, signal, async (tx) => {
      await lockForMerge(tx, job.definition.table)
      if (!(await isFree(tx, job))) return undefined
      const whole = { file: 0, rowStart: 0, rowEnd: rows, byteStart: null, byteEnd: null }
      const chunk: Chunk = { no: checks, kind: 'rows', ...whole }
      const onRows = (done: number) => void tellRows(sql, fence, done).catch(() => {})
      const table = targetName(job.definition)
      const before = await insertedInTransaction(tx, job.definition.table)
      const copied = await copyRows(tx, { job, table, chunk, file, pieces, onRows }, context, {
        report,
        signal,
      })
      await digest
      const stats = await sumUpFirst(tx, job, { copied, promised: rows, before, started })
      if (!(await completeFirst(tx, fence, stats))) throw new JobLost('the job ended')
      return stats
    })
  } catch (error) {
    if (!isRefusal(error)) throw error
    report.info('merge', 'the table does not take the rows at once; they are staged', {
      error: messageOf(error),
    })
    return undefined
  }
}

/** Whether all that is to be done with the rows is to insert them as they are. */
export function isPlain(job: ClaimedJob, { columns }: Pick<OpenFile, 'columns'>): boolean {
  const { history, deleteMarker, audit } = loadOf(job.definition)
  const isServed = columns.some(({ column }) => column.name === ROW_COLUMN || column.name === GONE_COLUMN)
  if (job.dryRun !== null || modeOf(job) === 'delete' || isServed) return false
  return !history && !deleteMarker && audit.loadedAt === undefined && audit.jobId === undefined
}

/** A COPY does not tell what became of its rows (a trigger may have left some out): the server's statistics do. */
async function sumUpFirst(
  tx: Transaction,
  job: ClaimedJob,
  {
    copied,
    promised,
    before,
    started,
  }: { copied: Copied; promised: number; before: number | null; started: number },
): Promise<MergeStats> {
  // what they have of the transaction before this one, they may still have
  const after = await insertedInTransaction(tx, job.definition.table)
  const inserted = after === null || before === null ? copied.staged : after - before
  if (inserted < copied.staged)
    throw rowsDropped(job.definition, { inserted, dropped: copied.staged - inserted })
  const counts = { inserted, updated: 0, deleted: 0, skipped: 0 }
  const sums = sumUp({ copied, promised, counts, duplicates: 0, stale: 0, softDeleted: 0, removed: 0 })
  return { ...sums, mergeMs: Math.round(performance.now() - started) }
}

async function isFree(sql: Transaction, job: ClaimedJob): Promise<boolean> {
  return !(await hasEarlier(sql, job)) && (await isEmpty(sql, targetName(job.definition)))
}

/** The SHA-256 of the file, while its rows are on their way. */
function digestOf(
  chunks: Chunk[],
  job: ClaimedJob,
  { file, report, signal }: { file: OpenFile } & Running,
  context: Context,
): Promise<void> {
  if (!chunks.some(({ kind }) => kind === 'digest')) return Promise.resolve()
  const digest = runCheck('digest', { job, file }, context, { report, signal })
  digest.catch(() => {})
  return digest
}

/**
 * What the way by a stage explains better, or what only a COPY meets: classes 23 (a repeated or null key, a
 * constraint), 42 (rights) and 0A (row-level security).
 */
function isRefusal(error: unknown): boolean {
  if (error instanceof BulkError)
    return error.code === 'required_null' || error.code === 'key_null' || error.code === 'statistics_differ'
  return /^(23|42|0A)/.test(sqlState(error) ?? '')
}
