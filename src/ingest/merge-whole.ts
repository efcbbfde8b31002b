import type { ClaimedJob } from '../db/claims.ts'
import type { Impact, MergeStats } from '../db/ends.ts'
import { lockForMerge, lockRows, readMoment } from '../db/locks.ts'
import type { Transaction } from '../db/postgres.ts'
import { findTarget, isEmpty } from '../db/targets.ts'
import { loadOf } from '../figura/types.ts'
import { closeVersions, openVersions } from './merge-history.ts'
import { foretell, foretellFirst } from './merge-impact.ts'
import { settleKeys } from './merge-keys.ts'
import { checkReplacement, deleteLacking } from './merge-replace.ts'
import { countStage, loadingOf, mergeRows } from './merge-rows.ts'
import { rowsDropped, sumUp, sumUpTrial, unmerged, type Copied } from './merge-stats.ts'
import { countOutcomesSql, type Loading, type Outcome } from './sql-merge.ts'
import { targetName } from './sql-postgres.ts'

/** A stage that is full: its quoted name, the names of its columns, and what was counted on the way into it. */
type Full = { rows: string; names: string[]; copied: Copied; promised: number | null }

/** What a load in one transaction has done, or for a trial what it would do. */
export type Done = { stats: Omit<MergeStats, 'mergeMs'>; impact: Impact | null }

/**
 * Everything that loading means, for a whole stage, within one transaction. The lock on the table comes first, so
 * that two figuras with one table never merge at the same time (MERGE answers 23505 where two sessions insert the
 * same key), and the time of the load is taken under it: in the history no version ends before it began.
 * @throws BulkError `key_null`, `key_repeated`, `too_many_deleted`, `table_refused`, `statistics_differ`; PostgreSQL's
 * own errors
 */
export async function mergeWhole(
  tx: Transaction,
  job: ClaimedJob,
  { rows, names, copied, promised }: Full,
): Promise<Done> {
  const target = targetName(job.definition)
  await lockForMerge(tx, job.definition.table)
  const trial = job.dryRun !== null
  if (!trial && excludesWriters(loadingOf(job, names, ''))) await lockRows(tx, target)
  const load = loadingOf(job, names, await readMoment(tx))
  const duplicates = await settleKeys(tx, load, rows)
  if (trial) return tryOut(tx, job, { load, rows, copied, promised, duplicates })
  const empty = await isEmpty(tx, target)
  const replaces = load.mode === 'replace' && !empty
  if (replaces) await checkReplacement(tx, load, rows)
  await closeVersions(tx, load, rows)
  const { stale, softDeleted } = await countUnseen(tx, load, rows)
  const counts = await mergeRows(tx, { load, rows, empty })
  const dropped = unmerged(copied.staged - duplicates, counts)
  // a stage that holds all of its rows has lost none: the table has
  if (dropped > 0 && (await countStage(tx, load, rows)).rows === copied.staged - duplicates)
    throw rowsDropped(job.definition, { inserted: counts.inserted, dropped })
  const removed = replaces ? await deleteLacking(tx, load, rows) : 0
  await openVersions(tx, load, rows)
  return {
    stats: sumUp({ copied, promised, duplicates, counts, stale, softDeleted, removed }),
    impact: null,
  }
}

/** A trial of a load whose keys are settled: nothing but the stage has changed. */
async function tryOut(
  tx: Transaction,
  { dryRun, definition }: ClaimedJob,
  { load, rows, ...counted }: { load: Loading; duplicates: number } & Omit<Full, 'names'>,
): Promise<Done> {
  const staged = await countStage(tx, load, rows)
  const stats = sumUpTrial(counted, staged.rows)
  if (dryRun !== 'impact') return { stats, impact: null }
  const target = await findTarget(tx, definition.table)
  return { stats, impact: target ? await foretell(tx, load, rows) : foretellFirst(load, staged) }
}

/** Rows that others change meanwhile would be missing from the history, or be deleted though nobody counted them. */
function excludesWriters({ figura, mode }: Loading): boolean {
  return loadOf(figura).history || mode === 'replace'
}

/** What the executor does not tell apart: stale rows it leaves alone, softly deleted ones it updates. */
async function countUnseen(
  tx: Transaction,
  load: Loading,
  rows: string,
): Promise<{ stale: number; softDeleted: number }> {
  const { version, deleteMarker } = loadOf(load.figura)
  const soft = load.marked && deleteMarker?.how === 'soft'
  const asked = (load.mode === 'merge' || load.mode === 'replace') && (version !== undefined || soft)
  if (!asked) return { stale: 0, softDeleted: 0 }
  const found = await tx.unsafe<{ outcome: Outcome; rows: number }[]>(countOutcomesSql(load, rows))
  const countOf = (outcome: Outcome) => found.find((one) => one.outcome === outcome)?.rows ?? 0
  return { stale: countOf('stale'), softDeleted: soft ? countOf('deleted') : 0 }
}
