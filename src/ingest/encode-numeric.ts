import { isNull, readVector, type ColumnEncoder } from './column.ts'
import type { Output } from './memory.ts'

/**
 * DECIMAL(p,s), an integer of 16, 32, 64 or 128 bits by p, to PostgreSQL's numeric: the count of its digits, the weight of
 * the first, sign and scale in 2 bytes each, then digits to the base 10000, grouped from the point, no zeros at the ends.
 * measure() works the digits out, since their count is the size; write() copies them.
 */
export function numericColumn(precision: number, scale: number): ColumnEncoder {
  const width = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16
  const shape = shapeOf(precision, scale)
  let digits = noDigits(0, shape)
  let words: Int32Array
  let valid: Uint8Array | null = null
  return {
    width: HEADER_BYTES,
    load(vector, count) {
      const { data, valid: mask } = readVector(vector, count, width)
      words = width === 2 ? new Int32Array(new Int16Array(data.buffer, data.byteOffset, count)) : int32s(data)
      valid = mask
      if (digits.counts.length < count) digits = noDigits(count, shape)
      return valid
    },
    measure(sizes, from, to) {
      if (width <= 4) splitInts(digits, shape, from, to, words, valid)
      else splitLongs(digits, shape, from, to, words, valid, width >> 2)
      for (let i = from; i < to; i++) {
        sizes[i]! += valid !== null && isNull(valid, i) ? -HEADER_BYTES : digits.counts[i]! * 2
      }
    },
    write: (output, offsets, from, to) => writeNumerics(output, offsets, from, to, digits, shape, valid),
  }
}

/** Count, weight, sign and scale. */
const HEADER_BYTES = 8

/** How the digits of a column's values stand: each value has as many slots as its greatest could need. */
type Shape = {
  scale: number
  /** Slots before and behind the point. */
  whole: number
  fraction: number
  slots: number
  /** 10^scale parts a value at the point; its fraction times `pad` then ends at the end of a slot. */
  point: number
  pad: number
}

/** The digits of each row; `firsts` and `counts` leave out the zeros at both ends. */
type Digits = { slots: Uint16Array; firsts: Uint8Array; counts: Uint8Array; negative: Uint8Array }

function shapeOf(precision: number, scale: number): Shape {
  const whole = Math.ceil((precision - scale) / 4)
  const fraction = Math.ceil(scale / 4)
  return { scale, whole, fraction, slots: whole + fraction, point: 10 ** scale, pad: 10 ** (fraction * 4 - scale) }
}

function noDigits(rows: number, { slots }: Shape): Digits {
  return {
    slots: new Uint16Array(rows * slots),
    firsts: new Uint8Array(rows),
    counts: new Uint8Array(rows),
    negative: new Uint8Array(rows),
  }
}

function int32s(data: Uint8Array<ArrayBuffer>): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.length >> 2)
}

function splitInts(
  digits: Digits,
  shape: Shape,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    if (valid !== null && isNull(valid, i)) continue
    const value = words[i]!
    digits.negative[i] = value < 0 ? 1 : 0
    split(digits, shape, i, Math.abs(value))
  }
}

/** Values of 2 or 4 words. Nearly all are below 2^52, where a double holds them and their quotients exactly. */
function splitLongs(
  digits: Digits,
  shape: Shape,
  from: number,
  to: number,
  words: Int32Array,
  valid: Uint8Array | null,
  wordsEach: number,
): void {
  for (let i = from; i < to; i++) {
    if (valid !== null && isNull(valid, i)) continue
    const at = i * wordsEach
    const high = words[at + 1]!
    const sign = high >> 31
    const short = wordsEach === 2 || (words[at + 2] === sign && words[at + 3] === sign)
    digits.negative[i] = words[at + wordsEach - 1]! >>> 31
    if (short && high >> 20 === sign && shape.scale <= SPLIT_SCALE_MAX) {
      split(digits, shape, i, Math.abs(high * 2 ** 32 + (words[at]! >>> 0)))
    } else {
      splitWords(digits, shape, i, words, at, wordsEach)
    }
  }
}

/** With 12 digits behind the point the fraction of any value, padded, is below 10^12; with more it may not be exact. */
const SPLIT_SCALE_MAX = 12

/** Parts a value below 2^52 into the slots of its row. */
function split(digits: Digits, shape: Shape, row: number, value: number): void {
  const { slots } = digits
  const point = row * shape.slots + shape.whole
  if (shape.fraction === 0) {
    splitGroups(slots, point, shape.whole, value)
  } else {
    const whole = Math.floor(value / shape.point)
    splitGroups(slots, point, shape.whole, whole)
    splitGroups(slots, point + shape.fraction, shape.fraction, (value - whole * shape.point) * shape.pad)
  }
  trim(digits, shape, row)
}

/** Fills the `count` slots that end at `end` with a value below 10^16. Two halves of 32 bits: integers divide faster. */
function splitGroups(slots: Uint16Array, end: number, count: number, value: number): void {
  const high = Math.floor(value / 1e8) | 0
  const low = (value - high * 1e8) | 0
  const lowUp = (low / 10_000) | 0
  const highUp = (high / 10_000) | 0
  if (count > 0) slots[end - 1] = low - lowUp * 10_000
  if (count > 1) slots[end - 2] = lowUp
  if (count > 2) slots[end - 3] = high - highUp * 10_000
  if (count > 3) slots[end - 4] = highUp
  for (let k = 5; k <= count; k++) slots[end - k] = 0
}

const limbs = new Uint32Array(4)

/** Long division by words of 32 bits: a remainder below 10^4 and a word together are below 2^52, so that doubles do. */
function splitWords(digits: Digits, shape: Shape, row: number, words: Int32Array, at: number, count: number): void {
  const negative = digits.negative[row] === 1
  let carry = negative ? 1 : 0
  for (let k = 0; k < count; k++) {
    const word = (negative ? ~words[at + k]! : words[at + k]!) >>> 0
    limbs[k] = word + carry
    carry = word + carry > 0xffffffff ? 1 : 0
  }
  const start = row * shape.slots
  for (let k = shape.slots - 1; k >= 0; k--) {
    // the last slot of the fraction may have fewer than 4 digits of the value
    const pad = k === shape.slots - 1 && shape.fraction > 0 ? shape.pad : 1
    digits.slots[start + k] = divideLimbs(count, 10_000 / pad) * pad
  }
  trim(digits, shape, row)
}

/** Divides the limbs in place, and answers the remainder. */
function divideLimbs(count: number, divisor: number): number {
  let rest = 0
  for (let k = count - 1; k >= 0; k--) {
    const value = rest * 2 ** 32 + limbs[k]!
    const quotient = Math.floor(value / divisor)
    limbs[k] = quotient
    rest = value - quotient * divisor
  }
  return rest
}

function trim({ slots, firsts, counts }: Digits, shape: Shape, row: number): void {
  const start = row * shape.slots
  let first = 0
  let end = shape.slots
  while (first < end && slots[start + first] === 0) first++
  while (end > first && slots[start + end - 1] === 0) end--
  firsts[row] = first
  counts[row] = end - first
}

function writeNumerics(
  { view }: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  digits: Digits,
  shape: Shape,
  valid: Uint8Array | null,
): void {
  const { slots, firsts, counts, negative } = digits
  for (let i = from; i < to; i++) {
    let at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    const count = counts[i]!
    const first = firsts[i]!
    const weight = count === 0 ? 0 : shape.whole - 1 - first
    view.setInt32(at, HEADER_BYTES + count * 2)
    view.setInt32(at + 4, (count << 16) | (weight & 0xffff))
    view.setInt32(at + 8, (negative[i] === 1 ? NEGATIVE << 16 : 0) | shape.scale)
    at += 12
    const start = i * shape.slots + first
    for (let k = start; k < start + count; k++, at += 2) view.setUint16(at, slots[k]!)
    offsets[i] = at
  }
}

const NEGATIVE = 0x4000
