import { isTransient, sqlState } from '../db/postgres.ts'
import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import type { OpenFile } from './file.ts'
import { queryRows } from './read.ts'
import { refusalOf } from './refusal.ts'
import { type Rule, sourcesOf } from './rules.ts'
import { typeRules } from './rules-types.ts'
import type { LocalRows } from './sql-duckdb.ts'
import { countBrokenSql, keptRowSql } from './sql-reading.ts'

/**
 * Turns the refusal of a chunk's values into words. PostgreSQL checks every value anyway, so nothing is checked
 * twice on the way; only when it (or a cast of DuckDB) refuses is the chunk asked which values those are, and in
 * which rows. Errors that are not about values come back as they are.
 */
export async function explainRefusal(error: unknown, duckdb: Duckdb, chunk: Chunk): Promise<unknown> {
  if (!isAboutValues(error)) return error
  const { columns } = chunk.file.reading
  const rules = columns.flatMap(({ column }, at) => typeRules(column, `_bulk_c${at}`))
  const found = await countBroken(duckdb, chunk, rules).catch(() => [])
  const first = found[0]
  if (first) return refused(first, found)
  const said = refusalOf(
    error,
    columns.map(({ column }) => column),
  )
  return unexplained(error, said, await placeOf(error, duckdb, chunk))
}

/** `signal` ends the fetching of the chunk, whose rows are read once more. */
type Chunk = { file: OpenFile; rowStart: number; rowEnd: number; signal: AbortSignal }

type Refused = Rule & { count: number; firstRow: number }

async function countBroken(
  duckdb: Duckdb,
  { file, rowStart, rowEnd, signal }: Chunk,
  rules: Rule[],
): Promise<Refused[]> {
  if (rules.length === 0) return []
  const found = rules.map((rule) => ({ ...rule, count: 0, firstRow: 0 }))
  const columns = sourcesOf(file.reading.columns)
  await using pieces = file.pieces({ rowStart, rowEnd, columns }, signal)
  for await (const rows of pieces.each()) {
    const sqlOf = (part: LocalRows) => countBrokenSql(part, file.reading, rules)
    for await (const [row] of queryRows<Record<string, bigint | null>>(duckdb, rows, file.reading, sqlOf))
      for (const [at, refusal] of found.entries()) {
        if (refusal.count === 0) refusal.firstRow = Number(row?.[`first${at}`] ?? 0) + 1
        refusal.count += Number(row?.[`count${at}`] ?? 0)
      }
  }
  return found.filter((refusal) => refusal.count > 0)
}

function refused(first: Refused, all: Refused[]): BulkError {
  return new BulkError(
    'value_refused',
    {
      subject: `Column ${first.column}`,
      found: `${first.found ?? 'a value'} in ${first.count} row(s) of a chunk, the first in row ${first.firstRow}`,
      expected: first.expected,
    },
    {
      values: all.map(({ column, count, firstRow, found, expected }) => ({
        column,
        found: found ?? 'a value',
        expected,
        count,
        first_row: firstRow,
      })),
    },
  )
}

type Place = { rows: string; column?: string; row?: number }

/**
 * PostgreSQL tells the line and the column of a COPY that it refuses, below the lines of functions that were at work.
 * A line is a row that was sent: those that were left out before it count in the file alone.
 */
async function placeOf(error: unknown, duckdb: Duckdb, chunk: Chunk): Promise<Place> {
  const rows = `Rows ${chunk.rowStart + 1} to ${chunk.rowEnd}`
  const found = whereOf(error)
  if (!found) return { rows }
  const row = await rowOf(Number(found[1]), duckdb, chunk).catch(() => undefined)
  return { rows, column: found[2], row }
}

async function rowOf(line: number, duckdb: Duckdb, { file, rowStart, rowEnd, signal }: Chunk) {
  const { reading } = file
  if (reading.rules.length === 0) return rowStart + line
  let left = line
  await using pieces = file.pieces({ rowStart, rowEnd, columns: sourcesOf(reading.columns) }, signal)
  for await (const rows of pieces.each()) {
    const sqlOf = (part: LocalRows) => keptRowSql(part, reading, left)
    for await (const [found] of queryRows<KeptRow>(duckdb, rows, reading, sqlOf)) {
      if (typeof found?.no === 'number') return found.no + 1
      left -= found?.kept ?? 0
    }
  }
  return undefined
}

type KeptRow = { kept: number | null; no: number | null }

function unexplained(error: unknown, said: string, { rows, column, row }: Place): BulkError {
  return new BulkError(
    'value_refused',
    {
      subject: column ? `Column ${column}` : rows,
      found: `a value that is refused${row ? ` in row ${row}` : ''} (${said})`,
      expected: 'values that fit the column',
    },
    { column, row },
    { cause: error },
  )
}

/**
 * Class 22: data exceptions. DuckDB's casts say `Conversion Error`. Class 54, limits of PostgreSQL, where it names a
 * column: JSON that is nested too deep; without one an entry of an index is too large.
 */
function isAboutValues(error: unknown): boolean {
  if (error instanceof BulkError || isTransient(error)) return false
  const state = sqlState(error) ?? ''
  if (state.startsWith('54')) return whereOf(error)?.[2] !== undefined
  return state.startsWith('22') || (error instanceof Error && error.message.startsWith('Conversion Error'))
}

/** The line of a COPY at which an error came, and its column. */
function whereOf(error: unknown): RegExpExecArray | null {
  const where = error instanceof Error && 'where' in error ? String(error.where) : ''
  return /^COPY .*, line (\d+)(?:, column (.+?))?(?::.*)?$/m.exec(where)
}
