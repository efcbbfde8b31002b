import postgres from 'postgres'

export type Sql = postgres.Sql<{ int8: number }>
export type Transaction = postgres.TransactionSql<{ int8: number }>

/**
 * Opens a pool of at most `max` connections. Nothing is connected before the first query.
 * Column names arrive in camelCase; `bigint` arrives as a number, since all of ours are counts and sizes below 2^53.
 */
export function openPostgres(url: string, { max, name }: { max: number; name: string }): Sql {
  return postgres(url, {
    max,
    onnotice: () => {},
    connect_timeout: 10,
    // postgres.js waits up to 20 s after connects that failed, and every query waits with it; this is in seconds
    backoff: () => 0.5,
    transform: { column: { from: postgres.toCamel } },
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    connection: {
      application_name: name,
      TimeZone: 'UTC',
      // A killed client does not stop its SQL: without this the backend goes on, and commits (100 of 100 rows, 3 s
      // later).
      client_connection_check_interval: '2s',
    },
  })
}

/** A value as jsonb takes it: plain JSON, whose texts are storable. */
export function storable(value: unknown): postgres.JSONValue {
  const clean = (_name: string, part: unknown) => (typeof part === 'string' ? storableText(part) : part)
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
export function sqlState(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}

/**
 * True when the same work may succeed later without anybody changing it: link lost, shutdown, deadlock,
 * serialization, lock or statement time-out, and all of class 53 (disk full, too many connections).
 */
export function isTransient(error: unknown): boolean {
  const code = sqlState(error)
  if (!code) return false
  return TRANSIENT_CODES.has(code) || /^(08|53)/.test(code) || /^(CONNECT|CONNECTION)_/.test(code)
}

const TRANSIENT_CODES = new Set([
  // an operator puts these right: login refused, no such database
  '28000',
  '28P01',
  '3D000',
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '57014', // query_canceled: a statement time-out, or an operator's pg_cancel_backend
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])
