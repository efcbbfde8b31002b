import type { Chunk, ClaimedJob } from '../db/claims.ts'
import { completeDirect, hasEarlier, type MergeStats } from '../db/ends.ts'
import { limitMerge } from '../db/locks.ts'
import type { Transaction } from '../db/postgres.ts'
import { mayMakeTemporary } from '../db/targets.ts'
import { beginUntil } from '../db/until.ts'
import type { Context } from './context.ts'
import type { OpenFile } from './file.ts'
import { JobLost } from './lease.ts'
import type { Copied } from './merge-stats.ts'
import { mergeWhole } from './merge-whole.ts'
import { sourcesOf } from './rules.ts'
import { copyRows, rowsOf, runCheck } from './stage.ts'
import { createSessionStageSql, sessionStageName } from './sql-postgres.ts'
import type { Running } from './work.ts'

/**
 * Loads a small file in one transaction: COPY into a stage of the session's own, MERGE, statistics, the end of the
 * job. There is nothing to clean up after it, whatever happens: no stage, no marks, no dead rows in the catalogues.
 *
 * Undefined: an earlier job of the figura is still at work, or the role may not make temporary tables; nothing is
 * done, and the rows have to be staged where others see them.
 * @throws BulkError when the data is at fault; JobLost; PostgreSQL's own errors
 */
export async function loadDirect(
  job: ClaimedJob,
  { file, chunks, planMs }: { file: OpenFile; chunks: Chunk[]; planMs: number },
  context: Context,
  { report, signal }: Running,
): Promise<MergeStats | undefined> {
  const started = performance.now()
  job.phase = 'stage'
  const columns = file.columns.map(({ column }) => column)
  const table = sessionStageName(columns)
  const wanted = { ...rowsOf(chunks), columns: sourcesOf(file.columns) }
  await using pieces = file.pieces(wanted, signal)
  const checks = chunks.flatMap(({ kind }) => (kind === 'rows' ? [] : [kind]))
  for (const check of checks) await runCheck(check, { job, file }, context, { report, signal })
  await pieces.ready()
  // awaited here: the pieces are given up when this function returns
  return await beginUntil(
    context.session,
    signal,
    async (tx) => {
      if (!(await mayMakeTemporary(tx))) return undefined
      await tx.unsafe(createSessionStageSql(table, columns))
      const copied: Copied = { read: 0, staged: 0, rejected: 0 }
      for (const chunk of chunks) {
        if (chunk.kind !== 'rows') continue
        const one = await copyRows(tx, { job, table, chunk, file, pieces }, context, { report, signal })
        copied.read += one.read
        copied.staged += one.staged
        copied.rejected += one.rejected
      }
      if (!(await isOurTurn(tx, job, context))) return undefined
      const stageMs = Math.round(performance.now() - started)

      const merging = performance.now()
      job.phase = 'merge'
      await limitMerge(tx, { workMemBytes: context.config.bounds.mergeWorkMemBytes, lockMs: 0 })
      const { rows } = file.shape
      const names = columns.map(({ name }) => name)
      const done = await mergeWhole(tx, job, { rows: table, names, copied, promised: rows })
      const stats = { ...done.stats, mergeMs: Math.round(performance.now() - merging) }
      const facts = {
        bytes: file.source.bytes,
        rows,
        rowGroups: file.shape.rowGroups.length,
        etag: file.source.etag,
        format: file.format,
        planMs,
        stageMs,
        checks: checks.length,
      }
      const fence = { job: job.id, attempt: job.attempts }
      if (!(await completeDirect(tx, fence, { file: facts, stats, impact: done.impact })))
        throw new JobLost('the job ended')
      return stats
    },
    context.sql,
  )
}

/** How often it is asked whether an earlier job is still alive, in milliseconds: about what such a job takes. */
const TURN_POLL_MS = 4

/** Waits a little for the earlier jobs of the figura: mostly they are as small as this one, and about to end. */
async function isOurTurn(tx: Transaction, job: ClaimedJob, { config }: Context): Promise<boolean> {
  const deadline = performance.now() + config.bounds.directTurnMs
  while (await hasEarlier(tx, job)) {
    if (performance.now() > deadline) return false
    await Bun.sleep(TURN_POLL_MS)
  }
  return true
}
