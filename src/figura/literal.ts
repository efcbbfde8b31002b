import { compareDecimals, type Decimal, digitsOf, parseDecimal } from './decimal.ts'
import { quoted } from './fault.ts'
import { parseDate, parseInstant, parseTime, parseTimestamp } from './moment.ts'
import type { ColumnType } from './types.ts'

/** What a literal is worth in its type: literals of equal worth are one value, and ranks have an order. */
export type Worth = { same: string; rank?: Decimal }

/** A literal that its type cannot take, in words. */
export type Misfit = { expected: string }

/** Whether a type has an order that people agree on: numbers, dates and timestamps. */
export function isOrdered({ kind }: ColumnType): boolean {
  return NUMBERS.has(kind) || kind === 'date' || kind === 'timestamp' || kind === 'timestamptz'
}

/** Whether texts are what a type holds, with a length and patterns. */
export function isText({ kind }: ColumnType): boolean {
  return kind === 'text' || kind === 'varchar' || kind === 'char'
}

/**
 * Reads a literal as a value of a type, exactly: what PostgreSQL would round, cut or refuse is a misfit.
 * `source` is how the file writes it: of a number there is more in it than a double can hold.
 */
export function readLiteral(value: unknown, type: ColumnType, source?: string): Worth | Misfit {
  switch (type.kind) {
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'numeric':
    case 'real':
    case 'double precision':
      return readNumber(value, type, source)
    case 'boolean':
      return typeof value === 'boolean' ? { same: String(value) } : { expected: 'true or false' }
    case 'bytea':
    case 'array':
      return { expected: 'nothing, for such a value cannot be written here' }
    default:
      return typeof value === 'string' ? readText(value, type) : { expected: `${wanted(type)}, in quotes` }
  }
}

/** Negative when `a` is less. Only for types that have an order. */
export function compareWorth(a: Worth, b: Worth): number {
  return compareDecimals(a.rank ?? ZERO, b.rank ?? ZERO)
}

/** A literal as a sentence shows it: texts in quotes. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? quoted(value) : String(value)
}

const ZERO: Decimal = { digits: 0n, scale: 0 }

const NUMBERS = new Set<ColumnType['kind']>([
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'real',
  'double precision',
])

const WHOLE_BITS: Partial<Record<ColumnType['kind'], bigint>> = { smallint: 16n, integer: 32n, bigint: 64n }

function readNumber(value: unknown, type: ColumnType, source: string | undefined): Worth | Misfit {
  if (typeof value !== 'number' && typeof value !== 'string') return { expected: numberWords(type) }
  const number = parseDecimal(String(value))
  if (number && typeof value === 'number' && !isExact(number, source)) {
    return { expected: 'it in quotes, since YAML keeps about 15 digits of a number' }
  }
  if (!number || !fitsNumber(number, type)) return { expected: numberWords(type) }
  return { same: `${number.digits}e-${number.scale}`, rank: number }
}

/** Whether the number that YAML made of a text is the one that stands there. */
function isExact(number: Decimal, source: string | undefined): boolean {
  const written = source === undefined ? undefined : parseDecimal(source)
  if (written) return compareDecimals(written, number) === 0
  // 0x1F and 0o17, which YAML has too
  return number.scale === 0 && Number.isSafeInteger(Number(number.digits))
}

function fitsNumber(number: Decimal, type: ColumnType): boolean {
  const { before, behind } = digitsOf(number)
  if (type.kind === 'numeric') return before <= type.precision - type.scale && behind <= type.scale
  if (type.kind === 'real' || type.kind === 'double precision') {
    const float = Number(`${number.digits}e-${number.scale}`)
    return Number.isFinite(type.kind === 'real' ? Math.fround(float) : float)
  }
  const [least, most] = wholeRange(type)
  return behind === 0 && number.digits >= least && number.digits <= most
}

function wholeRange({ kind }: ColumnType): [bigint, bigint] {
  const half = 2n ** ((WHOLE_BITS[kind] ?? 1n) - 1n)
  return [-half, half - 1n]
}

function numberWords(type: ColumnType): string {
  if (type.kind === 'numeric')
    return `a number with at most ${type.precision - type.scale} digits before the point and ${type.scale} behind`
  return WHOLE_BITS[type.kind]
    ? `a whole number from ${wholeRange(type).join(' to ')}`
    : `a number that ${type.kind} can hold`
}

function readText(text: string, type: ColumnType): Worth | Misfit {
  const misfit = { expected: wanted(type) }
  switch (type.kind) {
    case 'text':
      return { same: text }
    case 'varchar':
      return length(text) <= type.length ? { same: text } : misfit
    case 'char':
      // blanks at the end are no part of a char
      return length(text) <= type.length ? { same: text.replace(/ +$/, '') } : misfit
    case 'uuid':
      return UUID.test(text) ? { same: text.toLowerCase() } : misfit
    case 'jsonb':
      return isJson(text) ? { same: text } : misfit
    default: {
      const at = MOMENTS[type.kind]?.(text)
      return at === undefined ? misfit : { same: String(at), rank: { digits: at, scale: 0 } }
    }
  }
}

const MOMENTS: Partial<Record<ColumnType['kind'], (text: string) => bigint | undefined>> = {
  date: parseDate,
  time: parseTime,
  timestamp: parseTimestamp,
  timestamptz: parseInstant,
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** What a type takes, in words. */
function wanted(type: ColumnType): string {
  switch (type.kind) {
    case 'varchar':
    case 'char':
      return `a text of at most ${type.length} ${type.length === 1 ? 'character' : 'characters'}`
    case 'uuid':
      return 'a uuid such as 6f1c7c9e-2b3a-4c5d-8e9f-0a1b2c3d4e5f'
    case 'jsonb':
      return 'a text of JSON'
    case 'date':
      return 'a date such as 2026-02-27'
    case 'time':
      return 'a time such as 14:03:11'
    case 'timestamp':
      return 'a time without a zone, such as 2026-02-27 14:03:11'
    case 'timestamptz':
      return 'a time with its zone, such as 2026-02-27T14:03:11-03:00'
    default:
      return 'a text'
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    // which JSON can write and jsonb cannot keep
    return !/\\u0000/i.test(text)
  } catch {
    return false
  }
}

/** In characters, as PostgreSQL counts them: an emoji is one, though JavaScript takes it for two. */
export function length(text: string): number {
  return Array.from(text).length
}
