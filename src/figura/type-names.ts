import { type ColumnType, PLAIN_KINDS, type ScalarType } from './types.ts'

/**
 * Reads a type as a figura writes it: `bigint`, `numeric(15,2)`, `varchar(200)`, `text[]` …
 * Returns what is wrong, as half a sentence, when it is no such type.
 */
export function parseType(text: string): ColumnType | string {
  const name = text.trim().replaceAll(/\s+/g, ' ')
  if (!name.endsWith('[]')) return parseScalar(name)
  const of = parseScalar(name.slice(0, -2).trimEnd())
  if (typeof of === 'string') return of
  return ELEMENTS.has(of.kind)
    ? { kind: 'array', of }
    : `found "${text}", expected an array of ${[...ELEMENTS].join(', ')}`
}

/** The type as a figura writes it. */
export function typeName(type: ColumnType): string {
  switch (type.kind) {
    case 'array':
      return `${typeName(type.of)}[]`
    case 'numeric':
      return `numeric(${type.precision},${type.scale})`
    case 'varchar':
    case 'char':
      return `${type.kind}(${type.length})`
    default:
      return type.kind
  }
}

/**
 * The type as PostgreSQL's format_type() prints it: for DDL, and to compare with the columns of a real table.
 */
export function canonicalName(type: ColumnType): string {
  switch (type.kind) {
    case 'array':
      return `${canonicalName(type.of)}[]`
    case 'varchar':
      return `character varying(${type.length})`
    case 'char':
      return `character(${type.length})`
    case 'time':
    case 'timestamp':
      return `${type.kind} without time zone`
    case 'timestamptz':
      return 'timestamp with time zone'
    default:
      return typeName(type)
  }
}

/** What lists of a file may hold. */
const ELEMENTS = new Set<ScalarType['kind']>([
  'text',
  'varchar',
  'smallint',
  'integer',
  'bigint',
  'real',
  'double precision',
  'numeric',
])

/** Other spellings that PostgreSQL takes. A figura has one word for each type, so that files are alike. */
const OTHER_NAMES = new Map([
  ['bool', 'boolean'],
  ['int2', 'smallint'],
  ['int4', 'integer'],
  ['int', 'integer'],
  ['int8', 'bigint'],
  ['float4', 'real'],
  ['float8', 'double precision'],
  ['double', 'double precision'],
  ['float', 'double precision'],
  ['decimal', 'numeric'],
  ['character varying', 'varchar'],
  ['character', 'char'],
  ['bpchar', 'char'],
  ['string', 'text'],
  ['json', 'jsonb'],
  ['timestamp with time zone', 'timestamptz'],
  ['timestamp without time zone', 'timestamp'],
  ['time without time zone', 'time'],
])

/** DuckDB's DECIMAL has at most 38 digits; PostgreSQL's char and varchar at most 10485760 characters. */
const PRECISION_MAX = 38
const LENGTH_MAX = 10_485_760

function parseScalar(name: string): ScalarType | string {
  const kind = PLAIN_KINDS.find((one) => one === name)
  if (kind) return { kind }
  const [, word, args] = /^([a-z0-9 ]+?) ?\(([^)]*)\)$/i.exec(name) ?? [undefined, name, undefined]
  const numbers = args?.split(',').map((part) => (/^ ?\d{1,8} ?$/.test(part) ? Number(part) : NaN)) ?? []
  switch (word) {
    case 'numeric':
      return parseNumeric(name, numbers)
    case 'varchar':
    case 'char':
      return parseLength(name, word, numbers)
    default:
      return unknown(name, word ?? name)
  }
}

function parseNumeric(name: string, [precision, scale, ...more]: number[]): ScalarType | string {
  const fits =
    precision !== undefined &&
    precision >= 1 &&
    precision <= PRECISION_MAX &&
    scale !== undefined &&
    scale <= precision
  if (fits && more.length === 0) return { kind: 'numeric', precision, scale }
  const expected = `numeric(precision,scale) with 1 to ${PRECISION_MAX} digits, such as numeric(15,2)`
  return `found "${name}", expected ${expected}`
}

function parseLength(
  name: string,
  kind: 'varchar' | 'char',
  [length, ...more]: number[],
): ScalarType | string {
  if (length !== undefined && length >= 1 && length <= LENGTH_MAX && more.length === 0)
    return { kind, length }
  return `found "${name}", expected ${kind}(length) with 1 to ${LENGTH_MAX} characters, such as ${kind}(14)`
}

function unknown(name: string, word: string): string {
  const lower = word.toLowerCase()
  const meant =
    OTHER_NAMES.get(lower) ?? ([...PLAIN_KINDS, 'numeric', 'varchar', 'char'].includes(lower) && lower)
  if (meant) return `found "${name}", expected the name ${meant}`
  const known = [...PLAIN_KINDS, 'numeric(p,s)', 'varchar(n)', 'char(n)']
  return `found "${name}", expected one of ${known.join(', ')}, or an array such as text[]`
}
