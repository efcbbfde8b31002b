import type { PlainKind } from '../figura/types.ts'
import { isNull, readVector, type ColumnEncoder, type Values } from './column.ts'
import type { Output } from './memory.ts'

/** Types whose values have a fixed number of bytes, the same in DuckDB and in PostgreSQL. */
type FixedKind = Exclude<PlainKind, 'text' | 'bytea' | 'jsonb'>

/** A column of such a type. Bytes are turned round, the epoch is moved from 1970 to 2000, and nothing else. */
export function fixedColumn(kind: FixedKind): ColumnEncoder {
  switch (kind) {
    case 'boolean':
      return column(1, (data) => data, writeBytes)
    case 'smallint':
      return column(2, int16s, writeInt16s)
    case 'integer':
    case 'real':
      return column(4, int32s, writeInt32s)
    case 'date':
      return column(4, int32s, writeDates)
    case 'bigint':
    case 'double precision':
    case 'time':
      return column(8, int32s, writeInt64s)
    case 'timestamp':
    case 'timestamptz':
      return column(8, int32s, writeTimestamps)
    case 'uuid':
      return column(16, int32s, writeUuids)
  }
}

/**
 * One loop per kind of value, so that each stays monomorphic. Floats are moved as words: a NaN keeps its
 * bits.
 */
type Write<Words> = (
  output: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Words,
  valid: Uint8Array | null,
) => void

function column<Words>(
  width: number,
  wordsOf: (data: Uint8Array<ArrayBuffer>) => Words,
  write: Write<Words>,
): ColumnEncoder {
  let values: Values | undefined
  let words: Words
  let valid: Uint8Array | null = null
  return {
    width,
    load(vector, count) {
      values = readVector(vector, count, width, values)
      words = wordsOf(values.data)
      valid = values.valid
      return valid
    },
    measure(sizes, from, to) {
      if (valid === null) return
      for (let i = from; i < to; i++) if (isNull(valid, i)) sizes[i]! -= width
    },
    write: (output, offsets, from, to) => write(output, offsets, from, to, words, valid),
  }
}

function int16s(data: Uint8Array<ArrayBuffer>): Int16Array {
  return new Int16Array(data.buffer, data.byteOffset, data.length >> 1)
}

function int32s(data: Uint8Array<ArrayBuffer>): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.length >> 2)
}

function writeBytes(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Uint8Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    view.setInt32(at, 1)
    view.setUint8(at + 4, words[i]!)
    offsets[i] = at + 5
  }
}

function writeInt16s(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Int16Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    view.setInt32(at, 2)
    view.setInt16(at + 4, words[i]!)
    offsets[i] = at + 6
  }
}

function writeInt32s(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    view.setInt32(at, 4)
    view.setInt32(at + 4, words[i]!)
    offsets[i] = at + 8
  }
}

function writeInt64s(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    view.setInt32(at, 8)
    view.setInt32(at + 4, words[2 * i + 1]!)
    view.setInt32(at + 8, words[2 * i]!)
    offsets[i] = at + 12
  }
}

/** DuckDB's HUGEINT with the top bit flipped, so that UUIDs sort as numbers do. */
function writeUuids(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    view.setInt32(at, 16)
    view.setInt32(at + 4, words[4 * i + 3]! ^ INT32_MIN)
    view.setInt32(at + 8, words[4 * i + 2]!)
    view.setInt32(at + 12, words[4 * i + 1]!)
    view.setInt32(at + 16, words[4 * i]!)
    offsets[i] = at + 20
  }
}

const INT32_MIN = -0x80000000
const INT32_MAX = 0x7fffffff

/** PostgreSQL counts from 2000-01-01, DuckDB from 1970-01-01. */
const EPOCH_DAYS = 10_957
const EPOCH_MICROS = EPOCH_DAYS * 86_400_000_000
const EPOCH_HIGH = Math.floor(EPOCH_MICROS / 2 ** 32)
const EPOCH_LOW = EPOCH_MICROS % 2 ** 32

/**
 * Dates before 1 BC by millions of years would wrap to valid ones: they become one that PostgreSQL refuses.
 */
function writeDates(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    const days = words[i]!
    let shifted = days - EPOCH_DAYS
    if (days === INT32_MAX) shifted = INT32_MAX
    else if (days === -INT32_MAX) shifted = INT32_MIN
    else if (shifted <= INT32_MIN) shifted = INT32_MIN + 1
    view.setInt32(at, 4)
    view.setInt32(at + 4, shifted)
    offsets[i] = at + 8
  }
}

function writeTimestamps(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    let low = words[2 * i]!
    let high = words[2 * i + 1]!
    if (high === INT32_MAX && low === -1) {
      // infinity: the greatest int64 on both sides
    } else if (high === INT32_MIN && low === 1) {
      low = 0 // -infinity: the least int64 plus 1 in DuckDB, the least in PostgreSQL
    } else {
      const borrow = low >>> 0 < EPOCH_LOW ? 1 : 0
      low = (low - EPOCH_LOW) | 0
      high = high - EPOCH_HIGH - borrow
      if (high < INT32_MIN) {
        // would wrap to a valid timestamp: becomes one that PostgreSQL refuses
        high = INT32_MIN
        low = 1
      }
    }
    view.setInt32(at, 8)
    view.setInt32(at + 4, high)
    view.setInt32(at + 8, low)
    offsets[i] = at + 12
  }
}
