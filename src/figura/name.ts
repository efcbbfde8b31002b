import { quoted } from './fault.ts'
import type { Say } from './part.ts'

/** PostgreSQL cuts longer names off, without an error: NAMEDATALEN - 1. */
export const NAME_BYTES = 63

/** Every table has these already, unseen. */
const SYSTEM_COLUMNS = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']

/** What the service's own columns of a stage begin with. DuckDB does not tell small letters from capitals. */
const OWN_PREFIX = /^_bulk_/i

/** Whether PostgreSQL takes a name as it is. */
export function checkName(name: string, path: string[], say: Say): void {
  checkText(name, 'a name', path, say)
  const bytes = bytesOf(name)
  if (bytes > NAME_BYTES) say(path, `a name of ${bytes} bytes`, `at most ${NAME_BYTES}`)
  if (name === '') say(path, 'an empty name', 'a name')
}

/** Whether a table can have a column of this name, beside those that PostgreSQL and this service have. */
export function checkColumnName(name: string, path: string[], say: Say): void {
  checkName(name, path, say)
  if (SYSTEM_COLUMNS.includes(name))
    say(path, `the column ${quoted(name)}`, 'a name that PostgreSQL does not use itself')
  if (OWN_PREFIX.test(name))
    say(
      path,
      `the column ${quoted(name)}`,
      'a name that does not begin with _bulk_, as those of the service do',
    )
}

/** Whether the figura can be kept with its jobs: jsonb takes no NUL and no half of a surrogate pair. */
export function checkText(text: string, what: string, path: string[], say: Say): boolean {
  const nul = text.includes('\0')
  if (!nul && text.isWellFormed()) return true
  say(path, `${nul ? 'a NUL' : 'half a character'} in ${what}`, `${what} without it`)
  return false
}

/** How long PostgreSQL takes a name to be. */
export function bytesOf(name: string): number {
  return new TextEncoder().encode(name).length
}
