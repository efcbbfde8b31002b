import { BulkError, type Retry } from './errors.ts'

/**
 * Sorts an error, wherever it comes from, into what is to be done about it; src/errors.ts says what the words mean.
 * Undefined: nobody foresaw it.
 */
export function sortFault(error: unknown): Retry | undefined {
  if (error instanceof BulkError) return error.retry
  const code = codeOf(error) ?? ''
  if (CAPACITY.test(code)) return 'capacity'
  if (TRANSIENT.test(code) || UNLINKED.test(code)) return 'later'
  if (REFUSED.test(code)) return 'never'
  // DuckDB's errors have no code
  return error instanceof Error && NO_ROOM.test(error.message) ? 'capacity' : undefined
}

/** The SQLSTATE of a PostgreSQL error, or the client's or the system's own code (CONNECTION_CLOSED …). */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}

/** Class 53 is PostgreSQL's disk, memory and connections; the others are this machine's disk and handles. */
const CAPACITY = /^(53...|ENOSPC|EDQUOT|EMFILE|ENFILE)$/

/** What the system says of its disk, as glibc spells it. */
const NO_ROOM = /No space left on device|Disk quota exceeded/

/**
 * Connections (08), serialization (40001), deadlocks (40P01), locks that were not had (55P03), statements that were
 * cancelled (57014), shutdowns (57P0x); and what an operator puts right: login refused, no such database.
 */
const TRANSIENT = /^(08...|28000|28P01|3D000|40001|40P01|55P03|57014|57P0.)$/

/** Codes of the client and of the system for a link that is lost or not to be had. */
const UNLINKED = /^((CONNECT|CONNECTION)_.*|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENOTFOUND|EPIPE|ETIMEDOUT)$/

/**
 * SQLSTATE classes that the same rows meet again at every try: 21 cardinality, 22 data, 23 constraints,
 * 27 triggers, 38 and 39 functions, 42 names and rights, 44 check options, 54 limits (a row or an index entry too
 * large), P0 PL/pgSQL, 0A what is not supported.
 */
const REFUSED = /^(2[1237]|3[89]|4[24]|54|P0|0A)...$/
