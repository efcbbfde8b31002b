import type { Transaction } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import { loadOf, tableName } from '../figura/types.ts'
import type { Loading } from './sql-merge.ts'
import { countLackingSql, deleteLackingSql } from './sql-merge-replace.ts'

/** The table's rows that a file speaks for, and those of them that it lacks. */
export type Lacking = { rows: number; lacking: number }

/**
 * Before a replacement: may the rows go that the file lacks?
 * @throws BulkError `too_many_deleted`, `schema_differs`
 */
export async function checkReplacement(tx: Transaction, load: Loading, rows: string): Promise<void> {
  refuseScope(load)
  const [found] = await tx.unsafe<Lacking[]>(countLackingSql(load, rows))
  refuseTooMany(load, found ?? { rows: 0, lacking: 0 })
}

/** Deletes what the file lacks; gives the number of rows. */
export async function deleteLacking(tx: Transaction, load: Loading, rows: string): Promise<number> {
  const { count } = await tx.unsafe(deleteLackingSql(load, rows))
  return count
}

/** A file that lacks a column of the scope speaks for nothing, and would delete nothing. */
export function refuseScope({ figura, columns }: Loading): void {
  const missing = loadOf(figura).scope.filter((name) => !columns.some((column) => column.name === name))
  if (missing.length === 0) return
  throw new BulkError('schema_differs', {
    subject: 'The file',
    found: `no column for ${missing.join(', ')}`,
    expected: 'all columns of load.scope, which say what the file replaces',
    action: 'Write those columns, or load the file in another mode.',
  })
}

/** Stops an accident, such as an export that broke off. */
export function refuseTooMany({ figura }: Loading, { rows, lacking }: Lacking): void {
  const { maxDeletePercent, scope } = loadOf(figura)
  if (lacking * 100 <= maxDeletePercent * rows) return
  const within = scope.length ? ` that have the ${scope.join(', ')} of the file` : ''
  throw new BulkError(
    'too_many_deleted',
    {
      subject: `Table ${tableName(figura)}`,
      found: `that ${lacking} of its ${rows} rows${within} are not in the file and would be deleted`,
      expected: `at most ${maxDeletePercent} percent (max_delete_percent)`,
    },
    { rows, lacking, max_delete_percent: maxDeletePercent },
  )
}
