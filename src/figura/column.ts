import { quote } from '../quote.ts'
import { quoted } from './fault.ts'
import { checkExpression } from './expression.ts'
import { checkColumnName, checkText } from './name.ts'
import { given, type Part, type Say, textOf, textsOf, within } from './part.ts'
import { readRules } from './rules.ts'
import { parseType } from './type-names.ts'
import type { Column, ColumnType } from './types.ts'

/** Reads the columns, in the order of the text. */
export function readColumns(whole: Part, key: string[]): Column[] {
  const columns = within(whole, 'columns')
  return columns.names([]).map((name) => {
    checkColumnName(name, [name], columns.say)
    return readColumn(name, within(columns, name), key.includes(name))
  })
}

/** DuckDB, which reads the files, takes names that differ only in case for the same. */
export function checkFrom(columns: Column[], { say }: Part): void {
  const readBy = new Map<string, string>()
  for (const { name, from, aliases = [], expr } of columns) {
    if (expr !== undefined) continue
    for (const [index, one] of [from, ...aliases].entries()) {
      const other = readBy.get(one.toLowerCase())
      readBy.set(one.toLowerCase(), other ?? name)
      if (other === undefined) continue
      const path = aliases.length ? ['from', String(index)] : ['from']
      const [found, expected] =
        other === name
          ? [`${quoted(one)} twice`, 'each name once, small letters and capitals alike']
          : [`${quoted(one)}, which ${quoted(other)} reads too`, 'another column of the file']
      say(['columns', name, ...path], found, expected)
    }
  }
}

/** A check is DuckDB's to read too: of two columns whose names differ only in case it would take one for the other. */
export function checkAlike(columns: Column[], checks: Record<string, string> = {}, { say }: Part): void {
  const texts = [...columns.flatMap(({ check }) => check ?? []), ...Object.values(checks)]
  const seen = new Map<string, string>()
  for (const { name } of columns) {
    const lower = name.toLowerCase()
    const other = seen.get(lower)
    seen.set(lower, name)
    const check = texts.find((text) => names(text.toLowerCase(), lower))
    if (other === undefined || check === undefined) continue
    const found = `the column ${quoted(name)} beside ${quoted(other)}, and the check ${quoted(check)}`
    say(
      ['columns', name],
      found,
      'names that differ by more than small letters and capitals, or no check of them',
    )
  }
}

/** Whether a check may name a column; a word within a text of it counts too. */
function names(check: string, column: string): boolean {
  return check.split(/[^\p{L}\p{N}_]+/u).includes(column) || check.includes(quote(column))
}

function readColumn(name: string, part: Part, isKey: boolean): Column {
  const { values, say } = part
  if (values.required === false && isKey)
    say(['required'], 'required: false on a key column', 'true, or nothing')
  const [from = name, ...others] = readFrom(values.from, name, say)
  const expr = readExpression('expr', part)
  if (expr !== undefined && values.from !== undefined)
    say(['from'], 'from beside expr', 'one of them: an expression reads the columns that it names')
  const type = readType(values.type, ['type'], say)
  const column = {
    name,
    type,
    required: values.required === true || isKey,
    from,
    aliases: others.length ? others : undefined,
    expr,
    nullIf: readNullIf(part),
    ...readRules(part, type),
    check: readExpression('check', part),
    sensitive: values.sensitive === true || undefined,
    missing: values.missing === 'fill' ? ('fill' as const) : undefined,
    onlyInsert: values.only_insert === true || undefined,
  }
  if (isKey) checkKeyColumn(part)
  else checkMissing(column, part)
  return given(column)
}

/** The names in the file, the first of which it is called by. */
function readFrom(from: unknown, name: string, say: Say): string[] {
  const names = Array.isArray(from) ? [...new Set(textsOf(from))] : [textOf(from) ?? name]
  // not checkName: PostgreSQL's limit is none for the columns of a file
  for (const [index, one] of names.entries()) {
    if (one !== name) checkText(one, 'a name', Array.isArray(from) ? ['from', String(index)] : ['from'], say)
  }
  return names
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

function readExpression(name: 'expr' | 'check', { values, say }: Part): string | undefined {
  const text = textOf(values[name])
  if (text !== undefined)
    checkExpression(text, `the ${name === 'expr' ? 'expression' : 'check'}`, [name], say)
  return text
}

/** A number stands for the text that the file writes: 00 is not 0. */
function readNullIf({ values, source, say }: Part): string[] | undefined {
  if (!Array.isArray(values.null_if)) return undefined
  const texts = values.null_if.map((value: unknown, index) => {
    const path = ['null_if', String(index)]
    const text = typeof value === 'number' ? (source(path) ?? String(value)) : (textOf(value) ?? '')
    checkText(text, 'a text', path, say)
    return text
  })
  texts.forEach((text, index) => {
    if (texts.indexOf(text) < index)
      say(['null_if', String(index)], `${quoted(text)} twice`, 'each text once')
  })
  return texts
}

/** Rows are found by their key: it comes from the file, and stays what it is. */
function checkKeyColumn({ values, say }: Part): void {
  for (const name of ['default', 'missing']) {
    if (values[name] !== undefined)
      say([name], `${name} on a key column`, 'nothing, for every file and every row of it has the key')
  }
  if (values.only_insert === true)
    say(['only_insert'], 'only_insert on a key column', 'nothing, for a key never changes')
}

function checkMissing(column: Column, { say }: Part): void {
  if (column.missing !== 'fill' || !column.required || column.default !== undefined) return
  say(
    ['missing'],
    'missing: fill on a required column without a default',
    'a default to fill in, or required: false',
  )
}
