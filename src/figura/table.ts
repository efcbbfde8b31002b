import { quoted } from './fault.ts'
import { bytesOf, checkName, NAME_BYTES } from './name.ts'
import type { Part } from './part.ts'

/**
 * Schemas that hold no data of a figura: PostgreSQL's own, and the two in which this service keeps its
 * records.
 */
const SCHEMAS_TAKEN = /^(pg_.*|information_schema|bulk|bulk_stage)$/

/** What the table of all versions of a table is called, behind its name. */
const HISTORY = '_history'

/** Reads the name of the table. */
export function readTable({ values: { table }, say }: Part): { schema: string; name: string } {
  const parts = typeof table === 'string' ? table.split('.') : []
  const [schema = '', name = ''] = parts.length === 1 ? ['public', ...parts] : parts
  if (typeof table !== 'string' || table === '') return { schema, name }
  if (parts.length > 2 || !schema || !name || /\s/.test(table)) {
    say(['table'], quoted(table), 'schema.table or table')
  } else if (SCHEMAS_TAKEN.test(schema)) {
    say(['table'], `the schema ${quoted(schema)}`, 'a schema of your own')
  }
  checkName(schema, ['table'], say)
  checkName(name, ['table'], say)
  return { schema, name }
}

/** Whether the table's name leaves room for that of its history. */
export function checkHistoryName({ name }: { name: string }, { say }: Part): void {
  const bytes = bytesOf(name)
  const most = NAME_BYTES - HISTORY.length
  if (bytes > most && bytes <= NAME_BYTES)
    say(
      ['table'],
      `a name of ${bytes} bytes with history`,
      `at most ${most}, for <table>${HISTORY} to be a name`,
    )
}
