import { isUtf8 } from 'node:buffer'
import { RECORD_VALUES } from './fault.ts'

/** A value that no avro writer has written: the block is damaged. */
export class AvroFault extends Error {}

/** A record whose arrays and maps have more items than are made at once. */
export class ManyValues extends Error {}

/** Reads values of avro's binary encoding, and never beyond the end of the bytes. */
export type Cursor = {
  at: number
  end(): boolean
  left(): number
  boolean(): boolean
  /** A whole number of any size up to 64 bits. */
  long(): number | bigint
  int(): number
  float(): number
  double(): number
  /** So many bytes; they are not copied. */
  fixed(size: number): Buffer
  bytes(): Buffer
  text(): string
  /** The number of items that follow in an array or a map; 0: none, and no more will. */
  items(): number
  /** Counts an item that has no bytes. */
  empty(): void
  /** Begins a record: the items of its arrays and maps are counted from here. */
  record(): void
}

/** Items of no bytes, such as nulls, in the arrays of a block: a few bytes could stand for any number of them. */
const EMPTY_ITEMS = 1_000_000

/** A number of up to 64 bits: seven of them a byte, the lowest first; the lowest of all is the sign. */
function readLong(next: () => number): number | bigint {
  let value = 0
  let factor = 1
  for (let no = 0; no < 7; no++) {
    const byte = next()
    value += (byte & 127) * factor
    if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    factor *= 128
  }
  let large = BigInt(value)
  for (let no = 7n; no < 10n; no++) {
    const byte = next()
    large += BigInt(byte & 127) << (7n * no)
    if (byte >= 128) continue
    if (large >= 1n << 64n) break
    return large % 2n === 0n ? large / 2n : -(large + 1n) / 2n
  }
  throw new AvroFault('a number of more than 64 bits')
}

/** Begins at the first byte. */
export function readAvro(bytes: Uint8Array): Cursor {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let empty = 0
  let listed = 0
  function take(size: number): number {
    const from = cursor.at
    if (!(size >= 0 && from + size <= buffer.length)) throw new AvroFault(`${size} bytes beyond its end`)
    cursor.at += size
    return from
  }
  const long = () => readLong(() => buffer[take(1)]!)
  function size(): number {
    const value = long()
    if (typeof value === 'bigint' || value < 0) throw new AvroFault(`a length of ${value}`)
    return value
  }
  function fixed(bytesWanted: number): Buffer {
    const from = take(bytesWanted)
    return buffer.subarray(from, from + bytesWanted)
  }
  const cursor: Cursor = {
    at: 0,
    end: () => cursor.at === buffer.length,
    left: () => buffer.length - cursor.at,
    boolean: () => {
      const byte = buffer[take(1)]!
      if (byte > 1) throw new AvroFault(`a boolean of ${byte}`)
      return byte === 1
    },
    long,
    int: () => {
      const value = long()
      if (typeof value === 'bigint' || value < -(2 ** 31) || value >= 2 ** 31)
        throw new AvroFault(`an int of ${value}`)
      return value
    },
    float: () => buffer.readFloatLE(take(4)),
    double: () => buffer.readDoubleLE(take(8)),
    fixed,
    bytes: () => fixed(size()),
    text: () => {
      const bytesOfText = fixed(size())
      if (!isUtf8(bytesOfText)) throw new AvroFault('a text that is no UTF-8')
      return bytesOfText.toString('utf8')
    },
    items: () => {
      const count = long()
      // a negative count is followed by the bytes that the items take
      if (count < 0) size()
      const items = Math.abs(Number(count))
      if (items > buffer.length - cursor.at + EMPTY_ITEMS) throw new AvroFault(`${items} items`)
      listed += items
      if (listed > RECORD_VALUES) throw new ManyValues()
      return items
    },
    record: () => void (listed = 0),
    empty: () => {
      if (++empty > EMPTY_ITEMS) throw new AvroFault(`more than ${EMPTY_ITEMS} items of no bytes`)
    },
  }
  return cursor
}
