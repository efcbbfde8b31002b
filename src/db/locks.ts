import { type Figura, tableName } from '../figura/types.ts'
import type { Sql, Transaction } from './postgres.ts'

/**
 * Waits until no other transaction of the service merges into the table; held until this one ends. Not a lock on the
 * rows: others may read and write them.
 */
export async function lockForMerge(tx: Transaction, table: Figura['table']): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${tableName({ table })}, 0))`
}

/** Keeps everybody else from changing a table's rows until the transaction ends; reading goes on. */
export async function lockRows(tx: Transaction, target: string): Promise<void> {
  await tx.unsafe(`lock table ${target} in share row exclusive mode`)
}

/** The present time of PostgreSQL's clock, as it writes it: exact to the microsecond. */
export async function readMoment(tx: Transaction): Promise<string> {
  const [row] = await tx<{ at: string }[]>`select clock_timestamp()::text as at`
  if (!row) throw new Error('PostgreSQL did not answer what time it is')
  return row.at
}

/**
 * What a transaction that merges may take: memory for each hash table or sort (PostgreSQL allows a hash table twice
 * as much), unless the server gives more by itself; and time to wait for each lock that others hold (0: any).
 */
export async function limitMerge(
  tx: Transaction,
  { workMemBytes, lockMs }: { workMemBytes: number; lockMs: number },
): Promise<void> {
  const wantedKb = Math.floor(workMemBytes / 1024)
  await tx`
    select
      set_config('lock_timeout', ${`${lockMs}ms`}, true),
      set_config(
        'work_mem', greatest(pg_size_bytes(current_setting('work_mem')) / 1024, ${wantedKb})::text || 'kB', true
      )
  `
}

/** How long this transaction waits for each lock that others hold. */
export async function limitWait(tx: Transaction, lockMs: number): Promise<void> {
  await tx`select set_config('lock_timeout', ${`${lockMs}ms`}, true)`
}

/** Lets one transaction at a time make tables: `if not exists` alone would let one of two that start together fail. */
export async function lockForCreation(tx: Transaction): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtext('bulk.target'))`
}

/**
 * Does not wait for the disk at the end of this transaction. For what stands in UNLOGGED tables, which a crash empties
 * in any case, and for what may happen anew after a crash: a claim, a plan.
 */
export async function commitWithoutWaiting(tx: Transaction): Promise<void> {
  await tx`set local synchronous_commit = off`
}

/**
 * The same for a single statement, as a table to name after FROM: what it writes may get lost if PostgreSQL crashes
 * within the next second, and is then done anew (a claim, a lease) or missed by nobody (a line of a log). A wait for
 * the disk is 1 to 5 ms, and a small job would have ten of them. Not within a transaction: it holds to that one's end.
 */
export function withoutWaiting(sql: Sql) {
  return sql`set_config('synchronous_commit', 'off', true)`
}
