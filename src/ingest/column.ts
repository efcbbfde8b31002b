import duckdb, { type Vector } from '@duckdb/node-bindings'
import type { Output } from './memory.ts'

/**
 * Writes one column of a chunk, a loop at a time: load() once for a chunk, then measure() and write() for
 * runs of rows. Field for field this is PostgreSQL's binary COPY: a length of 4 bytes (-1 for null), then the
 * value.
 */
export type ColumnEncoder = {
  /** Bytes of a value that is not null; 0 where each value has its own. */
  width: number
  /** Takes the column's vector, and answers its validity mask: null where nothing is null. */
  load(vector: Vector, count: number): Uint8Array | null
  /** Adds to the size of each row what its value takes beyond `width`: nulls take less. */
  measure(sizes: Int32Array, from: number, to: number): void
  /** Writes the values of the rows at their offsets, and moves the offsets past them. */
  write(output: Output, offsets: Int32Array, from: number, to: number): void
}

/**
 * What stands in a DuckDB vector: its values as they lie in memory, and a bit for each row, 1 where it is not
 * null.
 */
export type Values = { data: Uint8Array<ArrayBuffer>; valid: Uint8Array | null }

/**
 * Reads a flat vector. The values are a copy (the bindings forbid external buffers; 32 kB cost 2 µs), but the
 * strings in it still point into the chunk, which must stay referenced until they are copied too.
 * Chunks of a result are always flat: DuckDB copies and flattens them on their way out.
 * `last` is what the column read before, which nobody may use any more: its memory is given back and taken
 * again while it is warm. Left to the garbage collector it cost 5 % of a worker's CPU, in page faults.
 */
export function readVector(vector: Vector, count: number, bytesEach: number, last?: Values): Values {
  if (last) giveBack(last.data)
  const data = duckdb.vector_get_data(vector, count * bytesEach) as Uint8Array<ArrayBuffer>
  const valid: Uint8Array | null = duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8)
  return { data: aligned(data), valid: valid !== null && hasNull(valid, count) ? valid : null }
}

/** True where the row is null. */
export function isNull(valid: Uint8Array, row: number): boolean {
  return (valid[row >> 3]! & (1 << (row & 7))) === 0
}

/** PostgreSQL's values and tuples end below 1 GiB. */
export const ROW_BYTES_MAX = 2 ** 30 - 2 ** 17

/**
 * A sum of sizes that stops at 1 GiB, so that it stays within 32 bits: fixed values add or take at most 64
 * kB.
 */
export function addBytes(size: number, more: number): number {
  return Math.min(size + more, 2 ** 30)
}

/** Detaches the buffer, if it is this array's alone: what is left of it is empty, and holds no memory. */
function giveBack({ buffer, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (buffer.byteLength === byteLength) buffer.transfer(0)
}

/** Values are read as words of up to 8 bytes, which typed arrays only do where they are aligned. */
function aligned(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return data.byteOffset % 8 === 0 ? data : new Uint8Array(data)
}

/** A column that may have nulls often has none in a chunk; then the loops need not ask. */
function hasNull(valid: Uint8Array, count: number): boolean {
  const whole = count >> 3
  for (let i = 0; i < whole; i++) if (valid[i] !== 255) return true
  const rest = (1 << (count & 7)) - 1
  return (valid[whole]! & rest) !== rest && rest !== 0
}
