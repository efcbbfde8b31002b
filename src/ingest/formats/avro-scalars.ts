import { AvroFault, type Cursor } from './avro-cursor.ts'

/** How a value of avro is read. */
export type Reader = {
  /** DuckDB's name of the type. */
  type: string
  /** True: it has no value but null. */
  empty?: boolean
  /** The SQL of the value, from that of its text. */
  sql(text: string): string
  /** Its text, or null. */
  text(cursor: Cursor): string | null
  /** Its JSON, as part of a value that is nested. */
  json(cursor: Cursor): string
}

/** A value whose text DuckDB casts, and whose JSON is that text in quotes, or as it is. */
function scalar(type: string, text: (cursor: Cursor) => string, quoted: boolean, sql = cast(type)): Reader {
  return { type, sql, text, json: (cursor) => (quoted ? JSON.stringify(text(cursor)) : text(cursor)) }
}

function cast(type: string): (text: string) => string {
  return (text) => (type === 'VARCHAR' ? text : `cast(${text} as ${type})`)
}

/** JavaScript writes as many digits as tell a double from its neighbours; DuckDB reads the same double from them. */
function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value)
}

/** JSON has no number for NaN and the infinite ones. */
function floating(type: string, read: (cursor: Cursor) => number): Reader {
  const json = (cursor: Cursor) => {
    const value = read(cursor)
    return Number.isFinite(value) ? doubleText(value) : JSON.stringify(String(value))
  }
  return { type, sql: cast(type), text: (cursor) => doubleText(read(cursor)), json }
}

/** Bytes cross as base64. */
export function binary(read: (cursor: Cursor) => Buffer): Reader {
  return scalar(
    'BLOB',
    (cursor) => read(cursor).toString('base64'),
    true,
    (text) => `from_base64(${text})`,
  )
}

/** A decimal: the digits of a number of any size, without the point. DuckDB has 38 of them at the most. */
export function decimal(read: (cursor: Cursor) => Buffer, precision: number, scale: number): Reader {
  const type = precision <= 38 ? `DECIMAL(${precision},${scale})` : 'VARCHAR'
  const text = (cursor: Cursor) => {
    const bytes = read(cursor)
    const value = bytes.length ? BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`)) : 0n
    const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
    const point = digits.length - scale
    return `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale ? `.${digits.slice(point)}` : ''}`
  }
  return scalar(type, text, false)
}

/** One of some names. */
export function symbol(symbols: string[]): Reader {
  return scalar(
    'VARCHAR',
    (cursor) => {
      const at = cursor.int()
      const name = symbols[at]
      if (name === undefined) throw new AvroFault(`symbol ${at} of ${symbols.length}`)
      return name
    },
    true,
  )
}

/** A UUID of 16 bytes. */
export function packedUuid(): Reader {
  return scalar('UUID', (cursor) => cursor.fixed(16).toString('hex'), true)
}

/** A time of day, from its units since midnight. */
export function timeOfDay(unitsInSecond: number, digits: number): Reader {
  const text = (cursor: Cursor) => {
    const value = Number(cursor.long())
    if (value < 0 || value >= 86_400 * unitsInSecond) throw new AvroFault(`a time of day of ${value}`)
    const second = Math.floor(value / unitsInSecond)
    const parts = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60]
    const clock = parts.map((part) => String(part).padStart(2, '0')).join(':')
    return `${clock}.${String(value % unitsInSecond).padStart(digits, '0')}`
  }
  return scalar('TIME', text, true)
}

/** A moment, from its units since 1970. In JSON it stands as ISO 8601 has it, with all its digits. */
export function moment(type: string, digits: 3 | 6 | 9, zone: 'Z' | ''): Reader {
  const units = 10n ** BigInt(digits)
  const make = digits === 9 ? 'make_timestamp_ns' : 'make_timestamp'
  const json = (cursor: Cursor) => {
    const value = BigInt(cursor.long())
    const fraction = ((value % units) + units) % units
    const date = new Date(Number((value - fraction) / units) * 1000)
    if (Number.isNaN(date.getTime())) return String(value)
    return JSON.stringify(
      `${date.toISOString().slice(0, -5)}.${String(fraction).padStart(digits, '0')}${zone}`,
    )
  }
  const sql = (text: string) => cast(type)(`${make}(cast(${text} as BIGINT)${digits === 3 ? ' * 1000' : ''})`)
  return { type, sql, text: (cursor) => String(cursor.long()), json }
}

const DAY_MS = 86_400_000

const DATE: Reader = {
  type: 'DATE',
  sql: (text) => `date '1970-01-01' + cast(${text} as INTEGER)`,
  text: (cursor) => String(cursor.int()),
  json: (cursor) => {
    const day = cursor.int()
    const date = new Date(day * DAY_MS)
    return Number.isNaN(date.getTime()) ? String(day) : JSON.stringify(date.toISOString().slice(0, -14))
  },
}

/** Types by their names in a schema. */
export const PRIMITIVES: Record<string, Reader> = {
  boolean: scalar('BOOLEAN', (cursor) => String(cursor.boolean()), false),
  int: scalar('INTEGER', (cursor) => String(cursor.int()), false),
  long: scalar('BIGINT', (cursor) => String(cursor.long()), false),
  float: floating('FLOAT', (cursor) => cursor.float()),
  double: floating('DOUBLE', (cursor) => cursor.double()),
  string: scalar('VARCHAR', (cursor) => cursor.text(), true),
  bytes: binary((cursor) => cursor.bytes()),
}

/** Logical types by their name and the type below; what is not here is read as the type below. */
export const LOGICAL: Record<string, Reader> = {
  'uuid string': scalar('UUID', (cursor) => cursor.text(), true),
  'date int': DATE,
  'time-millis int': timeOfDay(1e3, 3),
  'time-micros long': timeOfDay(1e6, 6),
  'timestamp-millis long': moment('TIMESTAMP WITH TIME ZONE', 3, 'Z'),
  'timestamp-micros long': moment('TIMESTAMP WITH TIME ZONE', 6, 'Z'),
  'timestamp-nanos long': moment('TIMESTAMP_NS', 9, 'Z'),
  'local-timestamp-millis long': moment('TIMESTAMP', 3, ''),
  'local-timestamp-micros long': moment('TIMESTAMP', 6, ''),
  'local-timestamp-nanos long': moment('TIMESTAMP_NS', 9, ''),
}
