import { quoted } from './fault.ts'
import { nearest } from './nearest.ts'
import type { Part } from './part.ts'
import type { Column, Load } from './types.ts'

/** Keys are compared for equality and sorted, in the file and in the table. */
export function checkKey(key: string[], columns: Column[], part: Part): void {
  for (const [index, name] of key.entries()) {
    const path = ['key', String(index)]
    const column = columnNamed(name, 'the key column', path, columns, part)
    if (column) checkComparable(column, 'the key column', path, part)
  }
}

/** Rows without a key can be inserted, and never be found again. */
export function checkNoKey(load: Load, { values, say }: Part): void {
  const { key } = values
  if (!(key === undefined || (Array.isArray(key) && key.length === 0))) return
  const modes = load.allow.filter((mode) => mode !== 'append')
  if (modes.length === 0) return
  const found = key === undefined ? 'no "key" in the file' : 'an empty list'
  say(['key'], found, `at least one entry, such as ["id"], for the mode ${modes.join(', ')}`)
}

/** The column that a part of the figura names. */
export function columnNamed(
  name: string,
  what: string,
  path: string[],
  columns: Column[],
  { say }: Part,
): Column | undefined {
  const column = columns.find((one) => one.name === name)
  if (column) return column
  const names = columns.map((one) => one.name)
  say(path, `${what} ${quoted(name)}`, `a name from columns (${names.join(', ')})`, nearest(name, names))
  return undefined
}

/** Whether the values of a column can be compared, which those of jsonb and arrays are not by everybody alike. */
export function checkComparable({ name, type }: Column, what: string, path: string[], { say }: Part): void {
  if (type.kind !== 'jsonb' && type.kind !== 'array') return
  const kind = type.kind === 'jsonb' ? 'jsonb' : 'an array'
  say(path, `${what} ${quoted(name)}, which is ${kind}`, 'a column whose values can be compared')
}
