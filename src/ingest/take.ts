import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import type { Duckdb } from '../db/duckdb.ts'
import type { Figura } from '../figura/types.ts'
import type { Pieces } from './file.ts'
import { queryRows, readRows } from './read.ts'
import { type LeftOut, readRejects, rejectLimit, tooManyRejected } from './rejects.ts'
import type { Reading } from './rules.ts'
import { UNKNOWN_ROWS } from './shape.ts'
import type { LocalRows } from './sql-duckdb.ts'
import { countLeftOutSql, countRowsSql } from './sql-reading.ts'

/** Rows as they are taken from a file, and what was left out of them so far. */
export type Taken = {
  /** The rows that break no rule. */
  chunks(): AsyncGenerator<DataChunk, void, void>
  found(): { read: number; rejected: number; rejects: LeftOut[] }
}

/** How many rows the job has; null: not known. `these`: those that are taken here, however many they turn out to be. */
export type Rows = number | null | 'these'

/** Rows that are left out and kept of one chunk: their number goes on being counted, but they are not. */
const KEPT_ROWS = 10_000

/**
 * Takes the rows of pieces, without those that break a rule. A piece of which rows are missing is looked at once more,
 * for those rows alone: as long as nothing is wrong that costs nothing.
 * @throws BulkError, on the way, when more are left out than the figura allows
 */
export function takeRows(
  duck: Duckdb,
  pieces: Pieces,
  {
    reading,
    figura,
    rows,
    onRows,
  }: { reading: Reading; figura: Figura; rows: Rows; onRows?: (done: number) => void },
): Taken {
  const rejects: LeftOut[] = []
  let read = 0
  let rejected = 0

  async function* chunks(): AsyncGenerator<DataChunk, void, void> {
    for await (const piece of pieces.each()) {
      let passed = 0
      for await (const chunk of readRows(duck, piece, reading)) {
        passed += duckdb.data_chunk_get_size(chunk)
        yield chunk
      }
      const count = reading.rules.length === 0 ? passed : await countRows(duck, piece)
      read += count
      if (count > passed) await leaveOut(piece, count - passed)
      onRows?.(read)
    }
    if (rows === 'these') refuseMore(read)
  }
  async function leaveOut(piece: LocalRows, missing: number): Promise<void> {
    // where none may be left out, what PostgreSQL would have refused is told with the rest
    const all = reading.told === reading.rules ? missing : await countLeftOut(duck, piece, reading)
    rejected += all
    const limit = Math.min(all, KEPT_ROWS - rejects.length)
    if (limit > 0) rejects.push(...(await readRejects(duck, piece, { reading, limit })))
    refuseMore(rows === 'these' ? null : rows)
  }
  function refuseMore(total: number | null): void {
    if (rejected > rejectLimit(figura, total))
      throw tooManyRejected(figura, { rows: total, rejected, rejects })
  }
  return { chunks, found: () => ({ read, rejected, rejects }) }
}

async function countLeftOut(duck: Duckdb, piece: LocalRows, reading: Reading): Promise<number> {
  let count = 0
  const sqlOf = (part: LocalRows) => countLeftOutSql(part, reading)
  for await (const [row] of queryRows<{ rows: bigint }>(duck, piece, reading, sqlOf))
    count += Number(row?.rows ?? 0)
  return count
}

/** How many rows of a file of text a piece has, only reading it tells. */
async function countRows(duck: Duckdb, piece: LocalRows): Promise<number> {
  if (piece.rowEnd !== UNKNOWN_ROWS) return piece.rowEnd - piece.rowStart
  const [row] = await duck.query<{ rows: bigint }>(countRowsSql(piece))
  return Number(row?.rows ?? 0)
}
