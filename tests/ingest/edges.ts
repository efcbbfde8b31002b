import { parseType } from '../../src/figura/type-names.ts'
import type { ColumnType } from '../../src/figura/types.ts'
import { duckType } from '../../src/ingest/sql.ts'
import { duckLiteral } from '../../src/quote.ts'
import type { Sample } from './round-trip.ts'

/** Values at the edges of each type, in the words that DuckDB casts to it. */
const EDGES: Record<string, string[]> = {
  boolean: ['true', 'false'],
  smallint: ['-32768', '32767', '0', '-1', '256'],
  integer: ['-2147483648', '2147483647', '0', '-1', '65536'],
  bigint: [
    '-9223372036854775808',
    '9223372036854775807',
    '0',
    '-1',
    '4294967296',
    '-4294967296',
    '9007199254740993',
  ],
  real: ['0', '-0.0', '1.5', 'nan', 'infinity', '-infinity', '3.4028235e38', '-3.4028235e38', '1.4e-45'],
  'double precision': [
    '0',
    '-0.0',
    '0.1',
    'nan',
    'infinity',
    '-infinity',
    '1.7976931348623157e308',
    '-5e-324',
  ],
  // a string of at most 12 bytes stands in the string_t itself; a longer one is behind a pointer
  text: [
    '',
    'a',
    'é',
    'abc',
    '🙂',
    'abcdefg',
    'onze letras',
    'doze letras.',
    'treze letras.',
    '🙂🙂🙂',
    '🙂🙂🙂.',
    'ção '.repeat(99),
  ],
  'varchar(20)': [
    '',
    'sete le',
    'ção 🙂',
    `\\ "'\n\t\r`,
    'doze letras.',
    'vinte letras e mais.',
    '🙂'.repeat(20),
  ],
  'char(14)': ['', 'a', '12345678000195', ' a b ', 'doze letras.', '🙂🙂🙂🙂'],
  bytea: ['', '\\x00', '\\xFF\\x00', 'doze letras.', '\\xFF'.repeat(13), '\\x00'.repeat(300)],
  jsonb: [
    '{}',
    '[]',
    'null',
    '"a"',
    '0',
    '[1, 2.50, -3]',
    '{"a": [1, null]}',
    '{"nome": "ção 🙂", "b": {"c": false}}',
  ],
  date: [
    ...[
      '1970-01-01',
      '1969-12-31',
      '2000-01-01',
      '1999-12-31',
      '0001-01-01',
      '0001-12-31 (BC)',
      '4714-11-24 (BC)',
    ],
    ...['5874897-12-31', 'infinity', '-infinity'],
  ],
  time: ['00:00:00', '23:59:59.999999', '24:00:00', '12:34:56.000001', '01:11:34.967296'],
  timestamp: moments(''),
  timestamptz: moments('+00'),
  uuid: [
    ...['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
    ...['7fffffff-ffff-ffff-7fff-ffffffffffff', '80000000-0000-0000-8000-000000000000'],
    '01234567-89ab-cdef-fedc-ba9876543210',
  ],
  'text[]': ['[]', '[NULL]', '[a]', '["", NULL, "treze letras e", "ção, 🙂"]', `[${'abc, '.repeat(99)}NULL]`],
  'varchar(5)[]': ['[]', '[abc, NULL, abcde]', '[🙂🙂🙂🙂🙂]'],
  'smallint[]': ['[]', '[-32768, NULL, 32767]'],
  'integer[]': ['[]', '[1]', '[NULL, -2147483648, 2147483647]'],
  'bigint[]': ['[]', '[NULL, NULL]', '[-9223372036854775808, 9223372036854775807, 0]'],
  'real[]': ['[]', '[nan, -0.0, NULL, 1.5]'],
  'double precision[]': ['[]', '[nan, -0.0, NULL, 5e-324]'],
  'numeric(38,10)[]': ['[]', '[0, NULL, -9999999999999999999999999999.9999999999, 1]', '[10000]'],
  'numeric(4,0)[]': ['[]', '[9999, NULL, -1]'],
}

/** Every type with its edges, from a table with a column `i`: each row takes others than the one before. */
export function edgeSamples({ nulls = true }: { nulls?: boolean } = {}): Sample[] {
  return Object.entries(EDGES).map(([name, values], at) => {
    const type = typeOf(name)
    return { type, value: pick(nulls ? [...values, null] : values, type, `(i * 31 + ${at})`) }
  })
}

/** One of the values, by the number that an expression gives. */
function pick(values: (string | null)[], type: ColumnType, number: string): string {
  const list = values.map((value) => (value === null ? 'null' : duckLiteral(value)))
  return `([${list.join(', ')}]::${duckType(type)}[])[${number} % ${values.length} + 1]`
}

/**
 * numeric(p,s) of every scale, with zeros at either end of the groups of four digits that PostgreSQL stores.
 */
export function numericSamples(precision: number): Sample[] {
  return Array.from({ length: precision + 1 }, (_, scale) => {
    const type: ColumnType = { kind: 'numeric', precision, scale }
    const powers = Array.from({ length: precision }, (_, exponent) => `1${'0'.repeat(exponent)}`)
    const parts = powers.map((power) => '9876543210'.repeat(4).slice(-power.length))
    const digits = [
      '0',
      ...powers,
      ...parts,
      '9'.repeat(precision),
      `${'9'.repeat(Math.ceil(precision / 2))}`,
    ]
    const values = digits.flatMap((one) => [point(one, scale), `-${point(one, scale)}`])
    return { type, value: pick([...values, null], type, 'i') }
  })
}

/** Rows that take all the values of numericSamples(). */
export function numericRows(precision: number): number {
  return 4 * precision + 7
}

export function typeOf(name: string): ColumnType {
  const type = parseType(name)
  if (typeof type === 'string') throw new Error(type)
  return type
}

function point(digits: string, scale: number): string {
  const padded = digits.padStart(scale + 1, '0')
  return scale === 0 ? padded : `${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

function moments(zone: string): string[] {
  const moments = [
    '1970-01-01 00:00:00',
    '1969-12-31 23:59:59.999999',
    '2000-01-01 00:00:00',
    '1999-12-31 23:59:59.999999',
  ]
  const far = [
    '0001-01-01 00:00:00',
    '0001-12-31 (BC) 23:59:59.5',
    '4714-11-24 (BC) 00:00:00',
    '294247-01-10 04:00:54.775806',
  ]
  return [...[...moments, ...far].map((moment) => `${moment}${zone}`), 'infinity', '-infinity']
}
