import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import type { Duckdb } from '../db/duckdb.ts'
import { readVector } from './column.ts'
import type { FittedColumn } from './fit.ts'
import type { Reading } from './rules.ts'
import { guardLength, LARGE_VALUE, largestRowSql, type LocalRows, type Text } from './sql-duckdb.ts'
import { valuesSql } from './sql-reading.ts'

/** A text longer than this is large: 2,048 rows of it, two chunks at a time, are 512 MB for each column. */
const LARGE_BYTES = 128 * 1024

/** What a slice of rows with large texts may take at once. */
const SLICE_BYTES = 32 * 1024 * 1024

/**
 * Reads rows in the order of the file, without those that break a rule. DuckDB hands out 2,048 rows at a time with all
 * their texts in memory, whatever its memory_limit says: 36 kB of parquet, 20,000 texts of 1 MB, took 19 GB. So each
 * text's length is looked at before it is unpacked (about 3 % of a read), and from the first large one on the rows are
 * read in slices that fit into memory.
 */
export async function* readRows(
  duck: Duckdb,
  rows: LocalRows,
  reading: Reading,
): AsyncGenerator<DataChunk, void, void> {
  const texts = reading.columns.map(isText)
  const guarded = valuesSql(rows, reading, (value, at) =>
    texts[at] ? guardLength({ expression: value, binary: texts[at] === 'binary' }, LARGE_BYTES) : value,
  )
  let at = rows.rowStart
  try {
    for await (const chunk of duck.stream(guarded)) {
      at = nextRow(chunk, reading, at)
      yield chunk
    }
    return
  } catch (error) {
    if (!isLarge(error)) throw error
  }
  const step = await sliceRows(duck, { ...rows, rowStart: at }, reading, texts)
  for (; at < rows.rowEnd; at += step) {
    const slice = { ...rows, rowStart: at, rowEnd: Math.min(at + step, rows.rowEnd) }
    yield* duck.stream(valuesSql(slice, reading))
  }
}

/** Where rows are left out, their number tells how far the file is read. */
function nextRow(chunk: DataChunk, { columns, rules }: Reading, at: number): number {
  const count = duckdb.data_chunk_get_size(chunk)
  if (rules.length === 0) return at + count
  const { data } = readVector(duckdb.data_chunk_get_vector(chunk, columns.length), count, 8)
  return Number(new BigInt64Array(data.buffer, data.byteOffset, count)[count - 1]!) + 1
}

/** Rows of large texts that are read together. */
async function sliceRows(
  duck: Duckdb,
  rows: LocalRows,
  { columns }: Reading,
  kinds: (Kind | undefined)[],
): Promise<number> {
  const texts = columns.flatMap(({ expression }, at): Text[] =>
    kinds[at] ? [{ expression, binary: kinds[at] === 'binary' }] : [],
  )
  const [row] = await duck.query<{ bytes: bigint | null }>(largestRowSql(rows, texts))
  return Math.max(1, Math.floor(SLICE_BYTES / Number(row?.bytes ?? SLICE_BYTES)))
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
