import type { Impact } from '../db/ends.ts'
import type { Transaction } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import { tableName } from '../figura/types.ts'
import { refuseScope, refuseTooMany, type Lacking } from './merge-replace.ts'
import type { Loading, Outcome } from './sql-merge.ts'
import { impactSql, sampledColumns, takenKeysSql } from './sql-merge-impact.ts'

type Values = Record<string, unknown>
type Found = {
  counts: Partial<Record<Outcome, number>>
  lacking: Lacking | null
  samples: { key: Values; changed: number[]; before: Values; after: Values }[]
}

/** The same for a table that the load itself would make. */
export function foretellFirst(load: Pick<Loading, 'mode'>, staged: { rows: number; gone: number }): Impact {
  const inserted = load.mode === 'delete' ? 0 : staged.rows - staged.gone
  const none = { updated: 0, stale: 0, deleted: 0, removed: 0, samples: [] }
  return { ...none, inserted, unchanged: staged.rows - inserted }
}

/**
 * Tells what a load would do to its table, by a statement that only reads.
 * @throws BulkError what the load itself would be refused for: `too_many_deleted`, `schema_differs`, `table_refused`
 */
export async function foretell(tx: Transaction, load: Loading, rows: string): Promise<Impact> {
  if (load.mode === 'replace') refuseScope(load)
  await refuseTakenKeys(tx, load, rows)
  const [found] = await tx.unsafe<Found[]>(impactSql(load, rows))
  if (!found) throw new Error('PostgreSQL did not answer what the load would do')
  const { counts, lacking } = found
  if (lacking) refuseTooMany(load, lacking)
  const names = sampledColumns(load)
  const samples = found.samples.map(({ key, changed: places, before, after }) => {
    const changed = names.filter((_, at) => places.includes(at))
    return {
      key: pick(key, load.figura.key),
      changed,
      before: pick(before, changed),
      after: pick(after, changed),
    }
  })
  return {
    inserted: counts.inserted ?? 0,
    updated: counts.updated ?? 0,
    unchanged: counts.unchanged ?? 0,
    stale: counts.stale ?? 0,
    deleted: counts.deleted ?? 0,
    removed: lacking?.lacking ?? 0,
    samples,
  }
}

/** A table with a key has a unique index on it, which an append meets. */
async function refuseTakenKeys(tx: Transaction, load: Loading, rows: string): Promise<void> {
  if (load.mode !== 'append' || load.figura.key.length === 0) return
  const [taken] = await tx.unsafe<{ rows: number }[]>(takenKeysSql(load, rows))
  if (!taken || taken.rows === 0) return
  throw new BulkError('table_refused', {
    subject: `Table ${tableName(load.figura)}`,
    found: `${taken.rows} row(s) of the file with a key (${load.figura.key.join(', ')}) that is there already`,
    expected: 'new keys, each of them once, in mode append',
  })
}

function pick(values: Values, names: string[]): Values {
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]))
}
