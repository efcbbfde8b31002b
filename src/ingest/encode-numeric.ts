import { isNull, readVector, type ColumnEncoder, type Values } from './column.ts'
import type { Output } from './memory.ts'

/**
 * DECIMAL(p,s), an integer of 16, 32, 64 or 128 bits by p, to PostgreSQL's numeric: the count of its digits,
 * the weight of the first, sign and scale in 2 bytes each, then digits to the base 10000, grouped from the
 * point, no zeros at the ends. measure() works the digits out, since their count is the size (8 ns each);
 * write() copies them (4 ns).
 */
export function numericColumn(precision: number, scale: number): ColumnEncoder {
  const width = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16
  const shape = shapeOf(width, scale)
  let vectorValues: Values | undefined
  let digits = noDigits(0, shape)
  let words = new Int32Array(0)
  let valid: Uint8Array | null = null
  let anyLong = false
  return {
    width: HEADER_BYTES,
    load(vector, count) {
      vectorValues = readVector(vector, count, width, vectorValues)
      valid = vectorValues.valid
      if (digits.counts.length < count) digits = noDigits(count, shape)
      const { buffer, byteOffset } = vectorValues.data
      if (width === 2) digits.values.set(new Int16Array(buffer, byteOffset, count))
      else words = new Int32Array(buffer, byteOffset, (count * width) >> 2)
      if (width === 4) digits.values.set(words)
      else if (width > 4) anyLong = readLongs(digits, shape, words, width >> 2, count)
      return valid
    },
    measure(sizes, from, to) {
      splitShort(digits, shape, from, to, valid)
      if (anyLong) splitLong(digits, shape, from, to, valid, words, width >> 2)
      addSizes(digits, sizes, from, to, valid)
    },
    write: (output, offsets, from, to) => writeNumerics(output, offsets, from, to, digits, shape, valid),
  }
}

/** Count, weight, sign and scale. */
const HEADER_BYTES = 8

/** How the digits of a column's values stand: each value has as many slots as the greatest could need. */
type Shape = {
  scale: number
  /** Slots before and behind the point. */
  whole: number
  fraction: number
  slots: number
  /** A value is parted at the point by 10^scale; its fraction times `pad` then ends where a slot ends. */
  point: number
  pad: number
}

/** One entry for each row. */
type Digits = {
  /**
   * The value where it is short, that is below 2^52, so that it and its quotients are exact; else an
   * infinity.
   */
  values: Float64Array
  /** All digits of a value; it has `counts` of them, from `firsts` on. */
  slots: Uint16Array
  firsts: Uint8Array
  counts: Uint8Array
}

/**
 * By what the integer can hold, not by the precision: a broken file may go beyond that, and PostgreSQL shall
 * refuse it.
 */
function shapeOf(width: 2 | 4 | 8 | 16, scale: number): Shape {
  const whole = Math.ceil(({ 2: 5, 4: 10, 8: 19, 16: 39 }[width] - scale) / 4)
  const fraction = Math.ceil(scale / 4)
  return {
    scale,
    whole,
    fraction,
    slots: whole + fraction,
    point: 10 ** scale,
    pad: 10 ** (fraction * 4 - scale),
  }
}

function noDigits(rows: number, { slots }: Shape): Digits {
  return {
    values: new Float64Array(rows),
    slots: new Uint16Array(rows * slots),
    firsts: new Uint8Array(rows),
    counts: new Uint8Array(rows),
  }
}

const SHORT_END = 2 ** 52

/** With up to 12 digits behind the point a short value's fraction, padded, is below 10^12, and so exact. */
const SHORT_SCALE_MAX = 12

/** Answers whether any value is long. */
function readLongs(
  { values }: Digits,
  { scale }: Shape,
  words: Int32Array,
  each: number,
  count: number,
): boolean {
  let anyLong = false
  for (let i = 0; i < count; i++) {
    const at = i * each
    const high = words[at + 1]!
    const sign = high >> 31
    const extended = each === 2 || (words[at + 2]! === sign && words[at + 3]! === sign)
    if (extended && high >> 20 === sign && scale <= SHORT_SCALE_MAX) {
      values[i] = high * 2 ** 32 + (words[at]! >>> 0)
    } else {
      values[i] = words[at + each - 1]! < 0 ? -Infinity : Infinity
      anyLong = true
    }
  }
  return anyLong
}

/** Halves of 8 digits are divided as 32-bit integers, which is faster than as doubles. */
function splitShort(digits: Digits, shape: Shape, from: number, to: number, valid: Uint8Array | null): void {
  const { values, slots, firsts, counts } = digits
  const { whole, fraction, point, pad } = shape
  for (let i = from; i < to; i++) {
    if (valid !== null && isNull(valid, i)) continue
    const value = Math.abs(values[i]!)
    if (value >= SHORT_END) continue
    const start = i * shape.slots
    const middle = start + whole
    const front = Math.floor(value / point)
    let first = whole
    if (front >= 1e8) {
      const high = Math.floor(front / 1e8) | 0
      const highUp = (high / 10_000) | 0
      slots[middle - 3] = high - highUp * 10_000
      if (highUp > 0) slots[middle - 4] = highUp
      splitHalf(slots, middle, (front - high * 1e8) | 0)
      first = highUp > 0 ? whole - 4 : whole - 3
    } else if (front >= 1e4) {
      splitHalf(slots, middle, front | 0)
      first = whole - 2
    } else if (front > 0) {
      slots[middle - 1] = front
      first = whole - 1
    }
    let end = whole
    let rest = (value - front * point) * pad
    if (rest > 0) {
      end += fraction
      for (let k = middle + fraction - 1; k > middle; k--) {
        const up = Math.floor(rest / 10_000)
        slots[k] = rest - up * 10_000
        rest = up
      }
      slots[middle] = rest
      if (first === whole) while (slots[start + first] === 0) first++
    }
    while (end > first && slots[start + end - 1] === 0) end--
    firsts[i] = first
    counts[i] = end - first
  }
}

function splitHalf(slots: Uint16Array, end: number, value: number): void {
  const up = (value / 10_000) | 0
  slots[end - 1] = value - up * 10_000
  slots[end - 2] = up
}

function splitLong(
  digits: Digits,
  shape: Shape,
  from: number,
  to: number,
  valid: Uint8Array | null,
  words: Int32Array,
  each: number,
): void {
  const { values, slots, firsts, counts } = digits
  for (let i = from; i < to; i++) {
    if ((valid !== null && isNull(valid, i)) || Math.abs(values[i]!) < SHORT_END) continue
    readLimbs(words, i * each, each, values[i]! < 0)
    const start = i * shape.slots
    for (let k = shape.slots - 1; k >= 0; k--) {
      // the last slot of the fraction may have fewer than 4 digits of the value
      const pad = k === shape.slots - 1 && shape.fraction > 0 ? shape.pad : 1
      slots[start + k] = divideLimbs(each, 10_000 / pad) * pad
    }
    let first = 0
    let end = shape.slots
    while (first < end && slots[start + first] === 0) first++
    while (end > first && slots[start + end - 1] === 0) end--
    firsts[i] = first
    counts[i] = end - first
  }
}

/** A long value without its sign, the lowest word first. */
const limbs = new Uint32Array(4)

function readLimbs(words: Int32Array, at: number, count: number, negative: boolean): void {
  let carry = negative ? 1 : 0
  for (let k = 0; k < count; k++) {
    const word = ((negative ? ~words[at + k]! : words[at + k]!) >>> 0) + carry
    carry = word > 0xffffffff ? 1 : 0
    limbs[k] = word
  }
}

/** Divides by at most 10^4 in place and answers the remainder, which with the next limb stays below 2^52. */
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

function addSizes(
  { counts }: Digits,
  sizes: Int32Array,
  from: number,
  to: number,
  valid: Uint8Array | null,
): void {
  for (let i = from; i < to; i++) {
    sizes[i]! += valid !== null && isNull(valid, i) ? -HEADER_BYTES : counts[i]! * 2
  }
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
  const { values, slots, firsts, counts } = digits
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
    view.setInt32(at + 8, (values[i]! < 0 ? NEGATIVE : 0) | shape.scale)
    at += 4 + HEADER_BYTES
    const start = i * shape.slots + first
    for (let k = start; k < start + count; k++, at += 2) view.setUint16(at, slots[k]!)
    offsets[i] = at
  }
}

/** PostgreSQL's NUMERIC_NEG, where it stands in a word with the scale. */
const NEGATIVE = 0x4000 << 16
