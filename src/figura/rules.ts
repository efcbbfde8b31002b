import { quoted } from './fault.ts'
import { compareWorth, isOrdered, isText, length, readLiteral, shown, type Worth } from './literal.ts'
import { checkText } from './name.ts'
import { numberOf, type Part, textOf } from './part.ts'
import { type Pattern, readPattern } from './pattern.ts'
import { typeName } from './type-names.ts'
import type { Column, ColumnType, Literal } from './types.ts'

type Rules = Pick<Column, 'default' | 'pattern' | 'enum' | 'min' | 'max' | 'maxLength'>

/** A literal that its type takes, and what it is worth there. */
type Bound = { value: Literal; worth: Worth }

/** Reads what the values of a column have to be, and their default, which has to be that too. */
export function readRules(part: Part, type: ColumnType): Rules {
  const values = readEnum(part, type)
  const min = readBound('min', part, type)
  const max = readBound('max', part, type)
  if (min && max && compareWorth(min.worth, max.worth) > 0)
    part.say(['max'], `max ${shown(max.value)} below min ${shown(min.value)}`, 'min at most as great as max')
  const maxLength = readMaxLength(part, type)
  const pattern = readPatternOf(part, type)
  const fallback = readValue(part.values.default, 'the default', ['default'], part, type)
  if (fallback) checkDefault(fallback, { values, min, max, maxLength, pattern }, part)
  return {
    default: fallback?.value,
    pattern: textOf(part.values.pattern),
    enum: values?.map(({ value }) => value),
    min: min?.value,
    max: max?.value,
    maxLength,
  }
}

type Known = {
  values: Bound[] | undefined
  min: Bound | undefined
  max: Bound | undefined
  maxLength: number | undefined
  pattern: Pattern | undefined
}

/** A default that broke a rule would have every row refused that has a null. */
function checkDefault(
  { value, worth }: Bound,
  { values, min, max, maxLength, pattern }: Known,
  { say }: Part,
): void {
  const found = `the default ${shown(value)}`
  if (values && !values.some((one) => one.worth.same === worth.same))
    say(['default'], found, `one of enum (${list(values)})`)
  if (min && compareWorth(worth, min.worth) < 0) say(['default'], found, `at least min, ${shown(min.value)}`)
  if (max && compareWorth(worth, max.worth) > 0) say(['default'], found, `at most max, ${shown(max.value)}`)
  if (typeof value !== 'string') return
  if (maxLength !== undefined && length(value) > maxLength)
    say(['default'], found, `at most max_length, ${maxLength} characters`)
  if (pattern?.matches && !pattern.matches(value)) say(['default'], found, 'a text that pattern matches')
}

function readEnum(part: Part, type: ColumnType): Bound[] | undefined {
  const { values, say } = part
  if (!Array.isArray(values.enum)) return undefined
  if (type.kind === 'jsonb' || type.kind === 'bytea' || type.kind === 'array') {
    say(['enum'], `enum on a column of ${typeName(type)}`, 'a type whose values can be written here')
    return undefined
  }
  const seen = new Set<string>()
  return values.enum.flatMap((value: unknown, index) => {
    const path = ['enum', String(index)]
    const one = readValue(value, 'the enum value', path, part, type)
    if (!one) return []
    if (seen.has(one.worth.same)) say(path, `the enum value ${shown(one.value)} twice`, 'each value once')
    seen.add(one.worth.same)
    return [one]
  })
}

function readBound(name: 'min' | 'max', part: Part, type: ColumnType): Bound | undefined {
  const value = part.values[name]
  if (value === undefined) return undefined
  if (isOrdered(type)) return readValue(value, name, [name], part, type)
  const instead = isText(type) ? ', or max_length' : ''
  part.say(
    [name],
    `${name} on a column of ${typeName(type)}`,
    `a column of numbers, dates or timestamps${instead}`,
  )
  return undefined
}

function readMaxLength({ values, say }: Part, type: ColumnType): number | undefined {
  const most = numberOf(values.max_length)
  if (most === undefined) return undefined
  if (!isText(type)) say(['max_length'], `max_length on a column of ${typeName(type)}`, TEXTS)
  if ('length' in type && most > type.length)
    say(
      ['max_length'],
      `max_length ${most} on ${typeName(type)}`,
      `at most ${type.length}, the length of the type`,
    )
  return most
}

function readPatternOf({ values, say }: Part, type: ColumnType): Pattern | undefined {
  const text = textOf(values.pattern)
  if (text === undefined) return undefined
  if (!isText(type)) say(['pattern'], `pattern on a column of ${typeName(type)}`, TEXTS)
  if (!checkText(text, 'the pattern', ['pattern'], say)) return undefined
  const pattern = readPattern(text)
  if (!('found' in pattern)) return pattern
  say(['pattern'], pattern.found, pattern.expected)
  return undefined
}

const TEXTS = 'a column of text, varchar(n) or char(n)'

/** A literal of a type; undefined when it is absent, or is none, which is told. */
function readValue(
  value: unknown,
  what: string,
  path: string[],
  { say, source }: Part,
  type: ColumnType,
): Bound | undefined {
  // what is no literal at all is the schema's to tell
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined
  if (typeof value === 'string' && !checkText(value, 'a text', path, say)) return undefined
  const written = source(path)
  const worth = readLiteral(value, type, written)
  if (!('expected' in worth)) return { value, worth }
  const found = typeof value === 'number' ? (written ?? String(value)) : shown(value)
  say(path, `${what} ${found}`, worth.expected)
  return undefined
}

/** So many values of an enum are named in a message. */
const NAMED = 10

function list(values: Bound[]): string {
  const names = values
    .slice(0, NAMED)
    .map(({ value }) => (typeof value === 'string' ? quoted(value) : String(value)))
  return [...names, ...(values.length > NAMED ? ['…'] : [])].join(', ')
}
