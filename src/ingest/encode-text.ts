import { addBytes, isNull, readVector, type ColumnEncoder, type Values } from './column.ts'
import type { CopyString, Output } from './memory.ts'

/**
 * Strings, whose bytes are the same on both sides. A string_t of DuckDB has 16 bytes: a length, then up to 12
 * bytes of text, or 4 of them and a pointer to all. `prefix` is the byte that stands before each text: jsonb
 * has its version.
 */
export function textColumn({ prefix, copy }: { prefix?: number; copy: CopyString }): ColumnEncoder {
  let values: Values | undefined
  let strings: Uint32Array
  let inline: DataView
  let valid: Uint8Array | null = null
  const width = prefix === undefined ? 0 : 1
  return {
    width,
    load(vector, count) {
      values = readVector(vector, count, 16, values)
      const { data } = values
      strings = new Uint32Array(data.buffer, data.byteOffset, count * 4)
      inline = new DataView(data.buffer, data.byteOffset)
      valid = values.valid
      return valid
    },
    measure(sizes, from, to) {
      for (let i = from; i < to; i++) {
        if (valid !== null && isNull(valid, i)) sizes[i]! -= width
        else sizes[i] = addBytes(sizes[i]!, strings[i * 4]!)
      }
    },
    write(output, offsets, from, to) {
      if (prefix === undefined) writeTexts(output, offsets, from, to, strings, inline, valid, copy)
      else writePrefixed(output, offsets, from, to, prefix, strings, inline, valid, copy)
    },
  }
}

/** Bytes that stand in the string_t itself. */
const INLINE_BYTES = 12

function writeTexts(
  output: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  strings: Uint32Array,
  inline: DataView,
  valid: Uint8Array | null,
  copy: CopyString,
): void {
  const { view } = output
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    const length = strings[i * 4]!
    view.setInt32(at, length)
    if (length > INLINE_BYTES) copy(output, at + 4, strings, i, length)
    else copyInline(view, at + 4, inline, i * 16 + 4, length)
    offsets[i] = at + 4 + length
  }
}

function writePrefixed(
  output: Output,
  offsets: Int32Array,
  from: number,
  to: number,
  prefix: number,
  strings: Uint32Array,
  inline: DataView,
  valid: Uint8Array | null,
  copy: CopyString,
): void {
  const { view } = output
  for (let i = from; i < to; i++) {
    const at = offsets[i]!
    if (valid !== null && isNull(valid, i)) {
      view.setInt32(at, -1)
      offsets[i] = at + 4
      continue
    }
    const length = strings[i * 4]!
    view.setInt32(at, length + 1)
    view.setUint8(at + 4, prefix)
    if (length > INLINE_BYTES) copy(output, at + 5, strings, i, length)
    else copyInline(view, at + 5, inline, i * 16 + 4, length)
    offsets[i] = at + 5 + length
  }
}

/**
 * At most three words, the last of which overlaps the one before: no loop, and not a byte more than the text
 * has.
 */
function copyInline(view: DataView, at: number, inline: DataView, start: number, length: number): void {
  if (length >= 4) {
    view.setUint32(at, inline.getUint32(start))
    if (length > 8) view.setUint32(at + 4, inline.getUint32(start + 4))
    view.setUint32(at + length - 4, inline.getUint32(start + length - 4))
  } else {
    for (let j = 0; j < length; j++) view.setUint8(at + j, inline.getUint8(start + j))
  }
}
