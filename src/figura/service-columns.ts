import { quoted } from './fault.ts'
import { checkColumnName } from './name.ts'
import type { Part } from './part.ts'
import type { Column, Extra, Load } from './types.ts'

/** What the table of all versions has beside the columns that files fill: when a version held, by which job. */
export const HISTORY_COLUMNS = { valid_from: 'timestamptz', valid_to: 'timestamptz', job_id: 'uuid' } as const

/**
 * Columns of the table that the service adds and fills have names of their own. Small letters and capitals are
 * alike, as to DuckDB, in which some of them stand beside the columns of a file.
 */
export function checkServiceColumns(
  load: Load,
  extra: Extra | undefined,
  columns: Column[],
  { say }: Part,
): void {
  const { deleteMarker, audit } = load
  const added: [path: string[], name: string | undefined][] = [
    [['extra', 'keep'], typeof extra === 'object' ? extra.keep : undefined],
    [['load', 'delete_marker', 'at'], deleteMarker?.how === 'soft' ? deleteMarker.at : undefined],
    [['load', 'audit', 'loaded_at'], audit.loadedAt],
    [['load', 'audit', 'job_id'], audit.jobId],
  ]
  const seen = new Map<string, string>()
  for (const [path, name] of added) {
    // an empty one is the schema's to tell
    if (!name) continue
    checkColumnName(name, path, say)
    const lower = name.toLowerCase()
    const declared = columns.find((column) => column.name.toLowerCase() === lower)
    const other = seen.get(lower)
    seen.set(lower, path.slice(-2).join('.'))
    if (declared) {
      say(path, `the column ${quoted(name)}, which columns has`, 'a column that only the service fills')
    } else if (other !== undefined) {
      say(path, `the column ${quoted(name)}, which ${other} has too`, 'a column for each')
    }
  }
  if (load.history) checkHistoryColumns(extra, columns, say)
}

function checkHistoryColumns(extra: Extra | undefined, columns: Column[], say: Part['say']): void {
  const filled: [path: string[], name: string][] = columns.map(({ name }) => [['columns', name], name])
  if (typeof extra === 'object') filled.push([['extra', 'keep'], extra.keep])
  for (const [path, name] of filled) {
    if (!Object.hasOwn(HISTORY_COLUMNS, name)) continue
    const expected = 'another name, for the history has a column of that name of its own'
    say(path, `the column ${quoted(name)} with history: true`, expected)
  }
}
