import { type Figura, tableName } from '../figura/types.ts'
import type { Transaction } from './postgres.ts'

/**
 * Waits until no other transaction of the service merges into the table; held until this one ends. Not a lock on the
 * rows: others may read and write them.
 */
export async function lockForMerge(tx: Transaction, table: Figura['table']): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${tableName({ table })}, 0))`
}

/** Lets one transaction at a time make tables: `if not exists` alone would let one of two that start together fail. */
export async function lockForCreation(tx: Transaction): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtext('bulk.target'))`
}

/**
 * Does not wait for the disk at the end of this transaction. For what stands in UNLOGGED tables alone: a crash empties
 * them in any case.
 */
export async function commitWithoutWaiting(tx: Transaction): Promise<void> {
  await tx`set local synchronous_commit = off`
}
