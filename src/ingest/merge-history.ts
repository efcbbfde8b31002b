import type { Transaction } from '../db/postgres.ts'
import { findTarget } from '../db/targets.ts'
import { loadOf } from '../figura/types.ts'
import type { Loading } from './sql-merge.ts'
import {
  closeLackingSql,
  closeVersionsSql,
  createHistorySql,
  historyTable,
  openVersionsSql,
} from './sql-merge-history.ts'

/** Before the rows change: makes the history where there is none, and closes the versions that are about to end. */
export async function closeVersions(tx: Transaction, load: Loading, rows: string): Promise<void> {
  if (!loadOf(load.figura).history) return
  if (!(await findTarget(tx, historyTable(load.figura)))) await tx.unsafe(createHistorySql(load))
  // rows that are only added end no version
  if (load.mode === 'append' || load.mode === 'insert') return
  await tx.unsafe(closeVersionsSql(load, rows))
}

/** After the rows have changed: opens the versions that hold now. */
export async function openVersions(tx: Transaction, load: Loading, rows: string): Promise<void> {
  if (!loadOf(load.figura).history) return
  if (load.mode === 'replace') await tx.unsafe(closeLackingSql(load))
  await tx.unsafe(openVersionsSql(load, rows))
}
