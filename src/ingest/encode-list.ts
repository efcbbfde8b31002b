import duckdb from '@duckdb/node-bindings'
import { addBytes, isNull, readVector, type ColumnEncoder, type Values } from './column.ts'
import type { Output } from './memory.ts'

/**
 * A LIST, whose entries are 16 bytes each (first element, count), to an array of one dimension: dimensions,
 * whether any element is null, the element's type; then count and lower bound, then the elements like columns
 * of a row. An empty array has no dimension. Lists may share elements, so each list is measured and written
 * by itself.
 */
export function listColumn(element: ColumnEncoder, elementOid: number): ColumnEncoder {
  let values: Values | undefined
  let entries: Uint32Array
  let valid: Uint8Array | null = null
  let elementValid: Uint8Array | null = null
  let sizes = new Int32Array(0)
  let offsets = new Int32Array(0)

  return {
    width: 0,
    load(vector, count) {
      values = readVector(vector, count, 16, values)
      entries = new Uint32Array(values.data.buffer, values.data.byteOffset, count * 4)
      valid = values.valid
      const elements = duckdb.list_vector_get_size(vector)
      elementValid = elements === 0 ? null : element.load(duckdb.list_vector_get_child(vector), elements)
      if (sizes.length < elements) {
        sizes = new Int32Array(elements)
        offsets = new Int32Array(elements)
      }
      return valid
    },
    measure(rowSizes, from, to) {
      for (let i = from; i < to; i++) {
        if (valid !== null && isNull(valid, i)) continue
        const first = entries[i * 4]!
        const end = first + entries[i * 4 + 2]!
        rowSizes[i] = addBytes(rowSizes[i]!, end === first ? EMPTY_BYTES : ARRAY_BYTES)
        sizes.fill(4 + element.width, first, end)
        element.measure(sizes, first, end)
        for (let k = first; k < end; k++) rowSizes[i] = addBytes(rowSizes[i]!, sizes[k]!)
      }
    },
    write(output, rowOffsets, from, to) {
      for (let i = from; i < to; i++) {
        const at = rowOffsets[i]!
        if (valid !== null && isNull(valid, i)) {
          output.view.setInt32(at, -1)
          rowOffsets[i] = at + 4
          continue
        }
        const first = entries[i * 4]!
        const end = first + entries[i * 4 + 2]!
        rowOffsets[i] = writeArray(output, at, first, end)
      }
    },
  }

  /** The sizes are those of measure(). Answers where the array ends. */
  function writeArray(output: Output, at: number, first: number, end: number): number {
    const { view } = output
    let next = at + 4 + (end === first ? EMPTY_BYTES : ARRAY_BYTES)
    let anyNull = 0
    for (let k = first; k < end; k++) {
      offsets[k] = next
      next += sizes[k]!
      if (elementValid !== null && isNull(elementValid, k)) anyNull = 1
    }
    view.setInt32(at, next - at - 4)
    view.setInt32(at + 4, end === first ? 0 : 1)
    view.setInt32(at + 8, anyNull)
    view.setInt32(at + 12, elementOid)
    if (end > first) {
      view.setInt32(at + 16, end - first)
      view.setInt32(at + 20, LOWER_BOUND)
      element.write(output, offsets, first, end)
    }
    return next
  }
}

/** Dimensions, null flag and type; with elements also count and lower bound. */
const EMPTY_BYTES = 12
const ARRAY_BYTES = 20
const LOWER_BOUND = 1
