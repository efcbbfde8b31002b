import { described, quoted } from './fault.ts'
import { checkComparable, columnNamed } from './key.ts'
import { isOrdered } from './literal.ts'
import { checkText } from './name.ts'
import { given, numberOf, type Part, textOf, textsOf, within, wordOf } from './part.ts'
import { typeName } from './type-names.ts'
import { type Column, type DeleteMarker, DUPLICATES, type Load, loadOf, type Mode, MODES } from './types.ts'

/** What the load is read against. */
type Around = { key: string[]; columns: Column[] }

/** Reads how rows come into the table, with all that the file leaves out. */
export function readLoad(whole: Part, around: Around): Load {
  const part = within(whole, 'load')
  const { values } = part
  const usual = loadOf({})
  const load = given({
    ...usual,
    ...readModes(part),
    version: textOf(values.version),
    duplicates: wordOf(values.duplicates, DUPLICATES) ?? usual.duplicates,
    scope: textsOf(values.scope),
    maxDeletePercent: numberOf(values.max_delete_percent) ?? usual.maxDeletePercent,
    deleteMarker: readMarker(part),
    history: values.history === true,
    audit: readAudit(part),
  })
  checkVersion(load, around, part)
  checkReplace(load, around, part)
  checkKeyed(around.key, load, part)
  return load
}

/** Whether a load is the one that a figura has that says nothing about it. */
export function isUsual(load: Load): boolean {
  return Bun.deepEquals(load, loadOf({}))
}

/** The mode, and the modes that may be asked for, in one order. A word that is none is the schema's to tell. */
function readModes({ values }: Part): Pick<Load, 'mode' | 'allow'> {
  const mode: Mode = wordOf(values.mode, MODES) ?? 'merge'
  const asked = textsOf(values.allow)
  return { mode, allow: [mode, ...MODES.filter((one) => one !== mode && asked.includes(one))] }
}

function readMarker(load: Part): DeleteMarker | undefined {
  const { values, say } = within(load, 'delete_marker')
  const { from, how, at } = { from: textOf(values.from), how: values.how, at: textOf(values.at) }
  if (from === undefined) return undefined
  checkText(from, 'a name', ['delete_marker', 'from'], load.say)
  if (how === 'soft') {
    if (at === undefined && values.at === undefined)
      say([], 'no "at" in "delete_marker" with how: soft', 'the column for the time, such as excluido_em')
    return { from, how, at: at ?? '' }
  }
  if (how === 'hard' && values.at !== undefined)
    say(['at'], `at ${described(values.at)} with how: hard`, 'nothing, for the row is gone, or how: soft')
  return { from, how: 'hard' }
}

function readAudit(load: Part): Load['audit'] {
  const { values } = within(load, 'audit')
  return given({ loadedAt: textOf(values.loaded_at), jobId: textOf(values.job_id) })
}

/** Versions are compared, and a row's may not be lost when the row changes. */
function checkVersion({ version, duplicates }: Load, { key, columns }: Around, part: Part): void {
  const { say } = part
  if (duplicates === 'newest' && version === undefined)
    say(
      ['duplicates'],
      'duplicates: newest without a version',
      'version: the column that tells which row is newer',
    )
  if (version === undefined || version === '') return
  const column = columnNamed(version, 'the version', ['version'], columns, part)
  if (!column) return
  const found = `the version ${quoted(version)}`
  if (!isOrdered(column.type)) {
    say(
      ['version'],
      `${found}, which is ${typeName(column.type)}`,
      'a column of numbers, dates or timestamps',
    )
  } else if (key.includes(version)) {
    say(['version'], `${found}, which is part of the key`, 'a column in which rows of one key differ')
  } else if (column.onlyInsert) {
    say(['version'], `${found}, which is only_insert`, 'a column that changes with its row')
  }
}

/** Bounds of what the mode replace may delete, where that mode is never used, are a mistake of somebody. */
function checkReplace({ allow, scope }: Load, { columns }: Around, part: Part): void {
  for (const name of ['scope', 'max_delete_percent']) {
    const value = part.values[name]
    if (value === undefined || (Array.isArray(value) && value.length === 0) || allow.includes('replace'))
      continue
    part.say([name], `${name} without the mode replace`, 'replace as mode or in allow')
  }
  for (const [index, name] of scope.entries()) {
    const path = ['scope', String(index)]
    const column = name === '' ? undefined : columnNamed(name, 'the scope column', path, columns, part)
    if (column) checkComparable(column, 'the scope column', path, part)
  }
}

/** Parts that are about rows of the same key. */
function checkKeyed(
  key: string[],
  { duplicates, history, deleteMarker, version }: Load,
  { say }: Part,
): void {
  if (key.length) return
  const keyed = {
    version: version !== undefined,
    duplicates: duplicates !== 'refuse',
    delete_marker: deleteMarker !== undefined,
    history,
  }
  for (const [name, asked] of Object.entries(keyed)) {
    if (asked) say([name], `${name} without a key`, 'a key, by which rows are found again')
  }
}
