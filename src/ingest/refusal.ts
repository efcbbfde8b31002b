import { sqlState } from '../db/postgres.ts'
import type { Column } from '../figura/types.ts'
import { messageOf } from '../log.ts'

/**
 * What PostgreSQL says of rows that it refuses. It quotes values where it cannot read them, and a trigger may do so:
 * with a sensitive column among them its words are its log's alone.
 */
export function refusalOf(error: unknown, columns: Pick<Column, 'sensitive'>[]): string {
  const state = sqlState(error)
  if (!columns.some(({ sensitive }) => sensitive) || state === undefined || NAMES_ONLY.test(state))
    return messageOf(error)
  return `SQLSTATE ${state}; its words may hold a value that is sensitive, and stand in its log`
}

/** Constraints, rights and names, limits, and what is not supported: these say names, and values in a detail alone. */
const NAMES_ONLY = /^(23|42|54|0A)/
