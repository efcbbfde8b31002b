import postgres from 'postgres'
import { BulkError } from '../errors.ts'
import { codeOf, sortFault } from '../faults.ts'
import { watchSilence } from './silence.ts'

export type Sql = postgres.Sql<{ int8: number }>
export type Transaction = postgres.TransactionSql<{ int8: number }>

/**
 * What is counted on, whatever the role or the database is set to with other applications in mind: a MERGE may take
 * minutes, and who has waited for a lock has to see what was committed meanwhile (a repeatable read does not). Texts,
 * since postgres.js leaves out what is 0 or false.
 */
const SESSION: Record<string, string> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  standard_conforming_strings: 'on',
  statement_timeout: '0',
  lock_timeout: '0',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
}

/**
 * Opens a pool of at most `max` connections. Nothing is connected before the first query.
 * A link that is dead without a word of it is given up within 30 s (see silence.ts).
 * Column names arrive in camelCase; `bigint` arrives as a number, since all of ours are counts and sizes below 2^53.
 */
export function openPostgres(url: string, { max, name }: { max: number; name: string }): Sql {
  const options = {
    max,
    onnotice: () => {},
    connect_timeout: 10,
    // a silent link that is gone for TCP too is noticed by the system; in seconds
    keep_alive: 10,
    onbackend: watchSilence(url, name),
    // postgres.js waits up to 20 s after connects that failed, and every query waits with it; this is in seconds
    backoff: () => 0.5,
    transform: { column: { from: postgres.toCamel } },
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    connection: {
      application_name: name,
      ...SESSION,
      // A killed client does not stop its SQL: without this the backend goes on, and commits (100 of 100 rows, 3 s
      // later).
      client_connection_check_interval: '2s',
      // a client that is gone without a word holds its locks no longer than this
      tcp_keepalives_idle: 10,
      tcp_keepalives_interval: 5,
      tcp_keepalives_count: 3,
      tcp_user_timeout: 30_000,
      // nor does one that is stopped in the midst of a transaction: its kernel goes on to answer. The longest honest
      // pause is that of a first load, which waits for the SHA-256 of its file
      idle_in_transaction_session_timeout: 600_000,
    },
  }
  return postgres(url, options)
}

/** A value as jsonb takes it: plain JSON, whose texts are storable, and its keys: a file may have any. */
export function storable(value: unknown): postgres.JSONValue {
  const clean = (_name: string, part: unknown) => {
    if (typeof part === 'string') return storableText(part)
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).map(([name, one]) => [storableText(name), one]))
  }
  return JSON.parse(JSON.stringify(value, clean))
}

/** A value for a column of type json (114), which keeps the order of keys; jsonb sorts them. */
export function inOrder(sql: Sql | Transaction, value: unknown) {
  return sql.typed(storable(value), 114)
}

/** PostgreSQL takes no NUL and no half of a surrogate pair; what an error quotes of a file may have them. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}

/** The SQLSTATE of a PostgreSQL error, or the client's own code (CONNECTION_CLOSED …); else undefined. */
export const sqlState = codeOf

/**
 * True when the same work may succeed later without anybody changing it: link lost, shutdown, deadlock,
 * serialization, lock or statement time-out, and all of class 53 (disk full, too many connections).
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof BulkError) return false
  const sort = sortFault(error)
  return sort === 'later' || sort === 'capacity'
}
