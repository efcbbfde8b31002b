import type { MergeStats } from '../db/ends.ts'
import { BulkError } from '../errors.ts'
import { type Figura, tableName } from '../figura/types.ts'

/** What came of a file, as those count who read it: `staged` are the rows that were copied. */
export type Copied = { read: number; staged: number; rejected: number }

/** What PostgreSQL's executor counted of a MERGE; `skipped` are rows that it left alone. */
export type Counts = { inserted: number; updated: number; deleted: number; skipped: number }

/** What is known of a merge, each number counted by itself. */
export type Counted = {
  copied: Copied
  /** Rows that the file says it has, where it does. */
  promised: number | null
  duplicates: number
  counts: Counts
  /** Of the rows that were left alone. */
  stale: number
  /** Of the rows that were updated: those that are now marked as deleted. */
  softDeleted: number
  removed: number
}

/**
 * The statistics of a load, if they add up: read = rejected + duplicates + staged, and staged = inserted + updated +
 * unchanged + stale + deleted. They come from several hands (the footer, the reader, the COPY, the executor), so that
 * a row that was lost or doubled anywhere is noticed before anything is committed.
 * @throws BulkError `statistics_differ`
 */
export function sumUp(counted: Counted): Omit<MergeStats, 'mergeMs'> {
  const { copied, promised, duplicates, counts, stale, softDeleted, removed } = counted
  const staged = copied.staged - duplicates
  const merged = staged - unmerged(staged, counts)
  const sums: [what: string, found: number, expected: number][] = [
    ['rows read', copied.read, promised ?? copied.read],
    ['rows rejected and copied', copied.rejected + copied.staged, copied.read],
    ['rows merged', merged, staged],
    ['stale rows', Math.min(stale, counts.skipped), stale],
    ['rows marked as deleted', Math.min(softDeleted, counts.updated), softDeleted],
  ]
  const breach = sums.find(([, found, expected]) => found !== expected)
  if (breach) throw differs(breach, counted)
  return {
    read: copied.read,
    rejected: copied.rejected,
    duplicates,
    staged,
    inserted: counts.inserted,
    updated: counts.updated - softDeleted,
    unchanged: counts.skipped - stale,
    stale,
    deleted: counts.deleted + softDeleted,
    removed,
  }
}

/** How many of `rows` came to nothing that PostgreSQL counted. */
export function unmerged(rows: number, { inserted, updated, deleted, skipped }: Counts): number {
  return rows - inserted - updated - deleted - skipped
}

/** The error of a table that took fewer rows than were to be inserted, without a word: it would do so at every try. */
export function rowsDropped(
  figura: Figura,
  { inserted, dropped }: { inserted: number; dropped: number },
): BulkError {
  const toInsert = inserted + dropped
  return new BulkError(
    'table_refused',
    {
      subject: `Table ${tableName(figura)}`,
      found: `${inserted} of ${toInsert} rows inserted: a trigger, rule or policy of the table drops the others`,
      expected: 'all of them',
      action:
        'Nothing was loaded. Leave such rows out of the file, or have the table take them or refuse them by an error.',
    },
    { inserted, to_insert: toInsert },
  )
}

/** What a trial knows that only reads: nothing is said of what is merged. */
export function sumUpTrial(
  { copied, promised, duplicates }: Pick<Counted, 'copied' | 'promised' | 'duplicates'>,
  rows: number,
): Omit<MergeStats, 'mergeMs'> {
  const counts = { inserted: 0, updated: 0, deleted: 0, skipped: rows }
  const { read, rejected, staged } = sumUp({
    copied,
    promised,
    duplicates,
    counts,
    stale: 0,
    softDeleted: 0,
    removed: 0,
  })
  const unknown = {
    inserted: null,
    updated: null,
    unchanged: null,
    stale: null,
    deleted: null,
    removed: null,
  }
  return { read, rejected, duplicates, staged, ...unknown }
}

function differs([what, found, expected]: [string, number, number], counted: Counted): BulkError {
  return new BulkError(
    'statistics_differ',
    { subject: `The number of ${what}`, found: String(found), expected: String(expected) },
    { counted },
  )
}
