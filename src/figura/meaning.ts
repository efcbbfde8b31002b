import { parseAddress } from '../address.ts'
import { type Fault, quoted } from './fault.ts'
import { nearest } from './nearest.ts'
import { parseType } from './type-names.ts'
import type { Column, ColumnType } from './types.ts'
import type { YamlText } from './yaml.ts'

/** The parts of a figura, as far as they could be understood, and what is wrong with what they say. */
type Meaning = {
  table: { schema: string; name: string }
  key: string[]
  columns: Column[]
  sources: string[]
  faults: Fault[]
}

/**
 * Reads what the parts of a figura file mean and checks them against each other. It takes a text of any
 * structure, and is silent about the parts that have a wrong one, so that both kinds of faults are told at
 * once.
 */
export function readMeaning(yaml: YamlText): Meaning {
  const faults: Fault[] = []
  const say = (path: string[], found: string, expected: string, hint?: string): void => {
    faults.push({ ...yaml.place(path), found, expected, hint })
  }
  const parts = mappingOf(yaml.value)
  const key = textsOf(parts.key)
  const columns = readColumns(yaml.names(['columns']), mappingOf(parts.columns), key, say)
  const table = readTable(parts.table, say)
  checkKey(key, columns, say)
  checkFrom(columns, say)
  const sources = textsOf(parts.sources)
  sources.forEach((source, index) => checkPrefix(source, ['sources', String(index)], say))
  if (typeof parts.description === 'string') checkText(parts.description, 'a text', ['description'], say)
  return { table, key, columns, sources, faults }
}

type Say = (path: string[], found: string, expected: string, hint?: string) => void

/** PostgreSQL cuts longer names off, without an error: NAMEDATALEN - 1. */
const NAME_BYTES = 63

/**
 * Schemas that hold no data of a figura: PostgreSQL's own, and the two in which this service keeps its
 * records.
 */
const SCHEMAS_TAKEN = /^(pg_.*|information_schema|bulk|bulk_stage)$/

/** Every table has these already, unseen. */
const SYSTEM_COLUMNS = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']

function readTable(table: unknown, say: Say): { schema: string; name: string } {
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

function readColumns(names: string[], columns: Record<string, unknown>, key: string[], say: Say): Column[] {
  return names.map((name) => {
    const path = ['columns', name]
    const spec = mappingOf(columns[name])
    checkName(name, path, say)
    if (SYSTEM_COLUMNS.includes(name))
      say(path, `the column ${quoted(name)}`, 'a name that PostgreSQL does not use itself')
    const required = spec.required === true || key.includes(name)
    if (spec.required === false && key.includes(name)) {
      say([...path, 'required'], 'required: false on a key column', 'true, or nothing')
    }
    const from = typeof spec.from === 'string' ? spec.from : name
    // not checkName: PostgreSQL's limit is none for the columns of a file
    if (from !== name) checkText(from, 'a name', [...path, 'from'], say)
    return { name, type: readType(spec.type, [...path, 'type'], say), required, from }
  })
}

/** A type that cannot be read counts as text, until its fault is mended. */
function readType(type: unknown, path: string[], say: Say): ColumnType {
  if (typeof type !== 'string') return { kind: 'text' }
  if (type.includes('(') && !type.includes(')')) {
    // in { type: numeric(15,2) } the comma ends the value
    say(path, `the type ${quoted(type)}, cut at a comma`, `quotes around it, as in 'numeric(15,2)'`)
    return { kind: 'text' }
  }
  const parsed = parseType(type)
  if (typeof parsed !== 'string') return parsed
  const [, found, expected] = /^found (.*?), expected (.*)$/s.exec(parsed) ?? ['', quoted(type), parsed]
  say(path, `the type ${found}`, expected ?? 'a type')
  return { kind: 'text' }
}

/** Keys are compared for equality and sorted, in the file and in the table. */
function checkKey(key: string[], columns: Column[], say: Say): void {
  const names = columns.map((column) => column.name)
  key.forEach((name, index) => {
    const path = ['key', String(index)]
    const column = columns.find((one) => one.name === name)
    if (!column) {
      say(
        path,
        `the key column ${quoted(name)}`,
        `a name from columns (${names.join(', ')})`,
        nearest(name, names),
      )
    } else if (column.type.kind === 'jsonb' || column.type.kind === 'array') {
      const kind = column.type.kind === 'jsonb' ? 'jsonb' : 'an array'
      say(path, `the key column ${quoted(name)}, which is ${kind}`, 'a column whose values can be compared')
    }
  })
}

/** DuckDB, which reads the files, takes names that differ only in case for the same. */
function checkFrom(columns: Column[], say: Say): void {
  const readBy = new Map<string, string>()
  for (const { name, from } of columns) {
    const other = readBy.get(from.toLowerCase())
    readBy.set(from.toLowerCase(), other ?? name)
    if (other === undefined) continue
    say(
      ['columns', name, 'from'],
      `${quoted(from)}, which ${quoted(other)} reads too`,
      'another column of the file',
    )
  }
}

/** A prefix is an address without what differs from file to file. */
function checkPrefix(source: string, path: string[], say: Say): void {
  if (!checkText(source, 'a source', path, say)) return
  const address = parseAddress(source)
  if ('found' in address) {
    say(path, `a source with ${address.found}`, address.expected)
  } else if (address.query) {
    say(path, 'a source with a query', 'a prefix, which ends before the "?"')
  }
}

function checkName(name: string, path: string[], say: Say): void {
  checkText(name, 'a name', path, say)
  const bytes = new TextEncoder().encode(name).length
  if (bytes > NAME_BYTES) say(path, `a name of ${bytes} bytes`, `at most ${NAME_BYTES}`)
  if (name === '') say(path, 'an empty name', 'a name')
}

/** Whether the figura can be kept with its jobs: jsonb takes no NUL and no half of a surrogate pair. */
function checkText(text: string, what: string, path: string[], say: Say): boolean {
  const nul = text.includes('\0')
  if (!nul && text.isWellFormed()) return true
  say(path, `${nul ? 'a NUL' : 'half a character'} in ${what}`, `${what} without it`)
  return false
}

function mappingOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
