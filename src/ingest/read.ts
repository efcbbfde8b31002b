import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import type { Duckdb } from '../db/duckdb.ts'
import { readVector } from './column.ts'
import type { FittedColumn } from './fit.ts'
import type { Reading } from './rules.ts'
import {
  guardLength,
  guardTexts,
  LARGE_VALUE,
  largestRowSql,
  type LocalRows,
  type Text,
} from './sql-duckdb.ts'
import { valuesSql } from './sql-reading.ts'

/** A text longer than this is large: 2,048 rows of it, two chunks at a time, are 512 MB for each column. */
const LARGE_BYTES = 128 * 1024

/** What a slice of rows with large texts may take at once. */
const SLICE_BYTES = 32 * 1024 * 1024

/** Rows of large texts among which those that fit into memory together are told: those of one chunk of DuckDB. */
const WINDOW_ROWS = 2048

/**
 * Reads rows in the order of the file, without those that break a rule. DuckDB hands out 2,048 rows at a time with all
 * their texts in memory, whatever its memory_limit says: 36 kB of parquet, 20,000 texts of 1 MB, took 19 GB. So each
 * text's length is looked at before it is unpacked (about 3 % of a read), or anything is worked out from it, and where
 * a large one stands the rows are read in slices that fit into memory.
 */
export async function* readRows(
  duck: Duckdb,
  rows: LocalRows,
  reading: Reading,
): AsyncGenerator<DataChunk, void, void> {
  yield* streamRows(duck, rows, reading, (part, guard) => valuesSql(part, reading, guard))
}

/** What stands for a value of a column so that a large one is an error; the value itself where it may be large. */
type Guard = (value: string, column: number) => string

/** A statement over some rows, made of the values of their columns. */
export type SqlOfValues = (part: LocalRows, guard: Guard) => string

/** The same for a statement that is made of the values of `reading`, and gives one row for each of the file. */
export async function* streamRows(
  duck: Duckdb,
  rows: LocalRows,
  reading: Reading,
  sqlOf: SqlOfValues,
): AsyncGenerator<DataChunk, void, void> {
  const worked = workedOut(reading)
  for (let at = rows.rowStart; at < rows.rowEnd;) {
    const guarded = guardTexts({ ...rows, rowStart: at }, reading.texts, LARGE_BYTES)
    const sql = sqlOf(guarded, (value, column) => {
      const text = worked.find((one) => one.column === column)
      return text ? guardLength({ expression: value, binary: text.binary }, LARGE_BYTES) : value
    })
    try {
      for await (const chunk of duck.stream(sql)) {
        at = nextRow(chunk, reading, at)
        yield chunk
      }
      return
    } catch (error) {
      if (!isLarge(error)) throw error
    }
    const rowEnd = Math.min(at + WINDOW_ROWS, rows.rowEnd)
    for (const slice of await slicesOf(duck, { ...rows, rowStart: at, rowEnd }, reading))
      yield* duck.stream(sqlOf(slice, (value) => value))
    at = rowEnd
  }
}

/**
 * Asks a question of rows, or the same of parts of them in their order: where a large text stands, the rows are halved
 * until it is found, and there looked at in slices that fit into memory.
 */
export async function* queryRows<Row>(
  duck: Duckdb,
  rows: LocalRows,
  reading: Reading,
  sqlOf: (part: LocalRows) => string,
): AsyncGenerator<Row[], void, void> {
  const whole = await duck.query<Row>(sqlOf(guardTexts(rows, reading.texts, LARGE_BYTES))).catch(notLarge)
  if (whole) return yield whole
  const { rowStart, rowEnd } = rows
  if (rowEnd - rowStart > WINDOW_ROWS) {
    const middle = Math.floor((rowStart + rowEnd) / 2)
    yield* queryRows<Row>(duck, { ...rows, rowEnd: middle }, reading, sqlOf)
    return yield* queryRows<Row>(duck, { ...rows, rowStart: middle }, reading, sqlOf)
  }
  for (const slice of await slicesOf(duck, rows, reading)) yield await duck.query<Row>(sqlOf(slice))
}

function notLarge(error: unknown): undefined {
  if (!isLarge(error)) throw error
}

/** Where rows are left out, their number tells how far the file is read. */
function nextRow(chunk: DataChunk, { columns, rules }: Reading, at: number): number {
  const count = duckdb.data_chunk_get_size(chunk)
  if (rules.length === 0) return at + count
  const { data } = readVector(duckdb.data_chunk_get_vector(chunk, columns.length), count, 8)
  return Number(new BigInt64Array(data.buffer, data.byteOffset, count)[count - 1]!) + 1
}

/**
 * Rows of large texts that are read together. What the file has comes first: what is worked out from it is looked at
 * when that fits into memory.
 */
async function slicesOf(duck: Duckdb, rows: LocalRows, reading: Reading): Promise<LocalRows[]> {
  let largest = await largestRow(duck, rows, reading.texts)
  const worked = workedOut(reading)
  if (worked.length > 0)
    for (const slice of cut(rows, largest)) largest = Math.max(largest, await largestRow(duck, slice, worked))
  return cut(rows, largest)
}

async function largestRow(duck: Duckdb, rows: LocalRows, texts: Text[]): Promise<number> {
  if (texts.length === 0) return 1
  const [row] = await duck.query<{ bytes: bigint | null }>(largestRowSql(rows, texts))
  return Math.max(1, Number(row?.bytes ?? 1))
}

function cut(rows: LocalRows, largest: number): LocalRows[] {
  const step = Math.max(1, Math.floor(SLICE_BYTES / largest))
  const slices: LocalRows[] = []
  for (let at = rows.rowStart; at < rows.rowEnd; at += step)
    slices.push({ ...rows, rowStart: at, rowEnd: Math.min(at + step, rows.rowEnd) })
  return slices
}

/** Texts that are not as they stand in the file. */
function workedOut({ columns, texts }: Reading): (Text & { column: number })[] {
  return columns.flatMap((fitted, column) => {
    const { expression } = fitted
    const kind = isText(fitted)
    const plain = texts.some((text) => text.expression === expression)
    return kind && !plain ? [{ column, expression, binary: kind === 'binary' }] : []
  })
}

type Kind = 'text' | 'binary'

function isText({ column }: FittedColumn): Kind | undefined {
  switch (column.type.kind) {
    case 'bytea':
      return 'binary'
    case 'text':
    case 'varchar':
    case 'char':
    case 'jsonb':
      return 'text'
    default:
      return undefined
  }
}

function isLarge(error: unknown): boolean {
  return error instanceof Error && error.message.includes(LARGE_VALUE)
}
