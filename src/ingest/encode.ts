import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import { BulkError } from '../errors.ts'
import type { ColumnType, ScalarType } from '../figura/types.ts'
import { isNull, ROW_BYTES_MAX, type ColumnEncoder } from './column.ts'
import { fixedColumn } from './encode-fixed.ts'
import { listColumn } from './encode-list.ts'
import { numericColumn } from './encode-numeric.ts'
import { textColumn } from './encode-text.ts'
import { asMessage, MESSAGE_HEADER_BYTES } from './message.ts'
import { copyByBindings, copyByLibc, createOutput, type CopyString, type Output } from './memory.ts'

/** Nulls of a required column: how many, and the first rows, counted from 0 at the start of the stream. */
type Nulls = { count: number; rows: number[] }

/**
 * Turns chunks of DuckDB into PostgreSQL's binary COPY, the way of every row of every file. No JavaScript
 * value is made for a cell: for a chunk there is one pass for the sizes of the rows, one for their offsets,
 * and then one loop for each column, which writes into all rows. Memory is two frames; more only while a
 * single row is larger than that.
 *
 * What is left of a worker's CPU for 2,000,000 rows of 13 columns (perf, 0.6 µs a row, key check and download not
 * counted): DuckDB's reading 57 %, a third of it zstd and a sixth the copy of the texts out of its scan; the
 * passes and loops here 13 %; copies of texts and vectors and the calls of the bindings 14 %; the socket 5 %;
 * compiling these loops 3 %; memory that is given back, the collector and the event loop 8 %.
 * Frames of 64 kB to 512 kB are within 5 % of each other; 256 kB was the least.
 */
export function createEncoder(
  columns: { type: ColumnType; required?: boolean }[],
  {
    frameBytes = 256 * 1024,
    copy = copyByLibc ?? copyByBindings,
  }: { frameBytes?: number; copy?: CopyString } = {},
): Encoder {
  return new Encoder(columns, frameBytes, copy)
}

/** Made by createEncoder(), for one stream. */
export class Encoder {
  /** Rows encoded so far. */
  rows = 0
  /** One for each column; those of columns that are not required stay at 0. */
  readonly nulls: Nulls[]
  private readonly required: boolean[]
  private readonly columns: ColumnEncoder[]
  /** What a row takes when nothing in it is null, beside what the values themselves decide. */
  private readonly fixedBytes: number
  /** Filled by turns: one is still with the socket while the other is written. */
  private readonly outputs: [Output, Output]
  private output: Output
  private used: number
  private sizes = new Int32Array(0)
  private offsets = new Int32Array(0)

  constructor(columns: { type: ColumnType; required?: boolean }[], frameBytes: number, copy: CopyString) {
    this.required = columns.map(({ required }) => required ?? false)
    this.nulls = columns.map(() => ({ count: 0, rows: [] }))
    this.columns = columns.map(({ type }) => columnEncoder(type, copy))
    this.fixedBytes = this.columns.reduce((sum, { width }) => sum + 4 + width, 2)
    const bytes = Math.max(frameBytes, HEADER.length) + AROUND_BYTES
    this.outputs = [createOutput(bytes), createOutput(bytes)]
    this.output = this.outputs[0]
    this.output.bytes.set(HEADER, MESSAGE_HEADER_BYTES)
    this.used = MESSAGE_HEADER_BYTES + HEADER.length
  }

  /**
   * The whole stream: header, the rows of all chunks, trailer. Each frame is a CopyData message, valid until
   * the next but one is asked for.
   */
  async *frames(chunks: AsyncIterable<DataChunk>): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    for await (const chunk of chunks) yield* this.encodeChunk(chunk)
    yield this.finish()
  }

  /**
   * Encodes a chunk whose vectors have the types of duckType(). Gives out each frame that has filled up: a
   * piece of the stream that ends with a row.
   */
  *encodeChunk(chunk: DataChunk): Generator<Uint8Array<ArrayBuffer>, void, void> {
    const count = duckdb.data_chunk_get_size(chunk)
    this.measure(chunk, count)
    let from = 0
    for (;;) {
      const to = this.place(from, count)
      if (to > from) for (const column of this.columns) column.write(this.output, this.offsets, from, to)
      from = to
      if (from === count) break
      yield this.take()
      this.turn(this.sizes[from]!)
    }
    // also keeps the chunk referenced while its strings are copied: to collect it is to free them
    this.rows += duckdb.data_chunk_get_size(chunk)
  }

  /** The last frame, with the trailer. */
  finish(): Uint8Array<ArrayBuffer> {
    this.output.bytes.set(TRAILER, this.used)
    this.used += TRAILER.length
    return this.take()
  }

  private take(): Uint8Array<ArrayBuffer> {
    return asMessage(this.output.bytes.subarray(0, this.used))
  }

  /** To the other frame; to one of its own for a row that is larger. */
  private turn(rowBytes: number): void {
    const [one, other] = this.outputs
    const next = this.output === one ? other : one
    this.output = rowBytes + AROUND_BYTES > next.bytes.length ? createOutput(rowBytes + AROUND_BYTES) : next
    this.used = MESSAGE_HEADER_BYTES
  }

  /** First pass: the vectors are read, and the sizes of the rows worked out. */
  private measure(chunk: DataChunk, count: number): void {
    if (this.sizes.length < count) {
      this.sizes = new Int32Array(count)
      this.offsets = new Int32Array(count)
    }
    this.sizes.fill(this.fixedBytes, 0, count)
    for (const [index, column] of this.columns.entries()) {
      const valid = column.load(duckdb.data_chunk_get_vector(chunk, index), count)
      column.measure(this.sizes, 0, count)
      if (valid !== null && this.required[index]) this.countNulls(this.nulls[index]!, valid, count)
    }
  }

  /** Second pass: the offsets of as many rows as the frame has room for, each past its count of fields. */
  private place(from: number, count: number): number {
    const { sizes, offsets, output } = this
    const room = output.bytes.length - TRAILER.length
    let at = this.used
    let to = from
    while (to < count && at + sizes[to]! <= room) {
      output.view.setInt16(at, this.columns.length)
      offsets[to] = at + 2
      at += sizes[to]!
      to++
    }
    if (to < count && sizes[to]! > ROW_BYTES_MAX) throw rowTooLarge(this.rows + to)
    this.used = at
    return to
  }

  private countNulls(nulls: Nulls, valid: Uint8Array, count: number): void {
    for (let row = 0; row < count; row++) {
      if (!isNull(valid, row)) continue
      nulls.count++
      if (nulls.rows.length < NULL_ROWS_MAX) nulls.rows.push(this.rows + row)
    }
  }
}

/** As many as an error shows. */
const NULL_ROWS_MAX = 5

/** Signature, no flags, no extension. */
const HEADER = new Uint8Array(19)
HEADER.set(Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'))
const TRAILER = new Uint8Array([0xff, 0xff])

/** What a frame has room for beside rows; any frame may turn out to be the last. */
const AROUND_BYTES = MESSAGE_HEADER_BYTES + TRAILER.length

function columnEncoder(type: ColumnType, copy: CopyString): ColumnEncoder {
  switch (type.kind) {
    case 'array':
      return listColumn(columnEncoder(type.of, copy), elementOid(type.of))
    case 'numeric':
      return numericColumn(type.precision, type.scale)
    case 'text':
    case 'varchar':
    case 'char':
    case 'bytea':
      return textColumn({ copy })
    case 'jsonb':
      return textColumn({ prefix: JSONB_VERSION, copy })
    default:
      return fixedColumn(type.kind)
  }
}

const JSONB_VERSION = 1

/** An array carries the type of its elements; PostgreSQL refuses any other than the column's. */
function elementOid(of: ScalarType): number {
  const oid = ELEMENT_OIDS[of.kind]
  if (oid === undefined) throw new Error(`Arrays of ${of.kind} have no encoder`)
  return oid
}

/** From pg_type.dat, where they never change. */
const ELEMENT_OIDS: Partial<Record<ScalarType['kind'], number>> = {
  smallint: 21,
  integer: 23,
  bigint: 20,
  real: 700,
  'double precision': 701,
  numeric: 1700,
  text: 25,
  varchar: 1043,
}

function rowTooLarge(row: number): BulkError {
  return new BulkError('value_refused', {
    subject: `Row ${row + 1}`,
    found: 'more than 1 GiB',
    expected: 'at most 1 GiB, the most that PostgreSQL stores in a row',
  })
}
