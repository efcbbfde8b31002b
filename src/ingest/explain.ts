import { messageOf } from '../log.ts'
import { isTransient, sqlState } from '../db/postgres.ts'
import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import { typeName } from '../figura/type-names.ts'
import type { OpenFile } from './file.ts'
import type { FittedColumn } from './fit.ts'
import { quote } from '../quote.ts'
import { refusedValuesSql } from './sql-duckdb.ts'

/**
 * Turns the refusal of a chunk's values into words. PostgreSQL checks every value anyway, so nothing is checked
 * twice on the way; only when it (or a cast of DuckDB) refuses is the chunk asked which values those are, and in
 * which rows. Errors that are not about values come back as they are.
 */
export async function explainRefusal(error: unknown, duckdb: Duckdb, chunk: Chunk): Promise<unknown> {
  if (!isAboutValues(error)) return error
  const refusals = chunk.file.columns.flatMap((column) =>
    refusalsOf(column).map((refusal) => ({ ...refusal, column: column.column })),
  )
  const found = await countRefused(duckdb, chunk, refusals).catch(() => [])
  const first = found[0]
  if (first) return refused(first, found)
  return unexplained(error, chunk)
}

/** `signal` ends the fetching of the chunk, whose rows are read once more. */
type Chunk = { file: OpenFile; rowStart: number; rowEnd: number; signal: AbortSignal }

type Refusal = { predicate: string; found: string; expected: string }

/** What each type cannot hold, as DuckDB sees it; the limits are those of PostgreSQL's manual, chapter 8. */
function refusalsOf({ column, fileColumn, expression }: FittedColumn): Refusal[] {
  const source = quote(fileColumn)
  const { type } = column
  switch (type.kind) {
    case 'text':
      return [nul(expression)]
    case 'varchar':
    case 'char': {
      const expected = `at most ${type.length} characters (${typeName(type)})`
      const length = type.kind === 'char' ? `length(rtrim(${expression}, ' '))` : `length(${expression})`
      return [nul(expression), { predicate: `${length} > ${type.length}`, found: 'longer text', expected }]
    }
    case 'uuid':
      return [
        {
          predicate: `${source} is not null and try_cast(${source} as UUID) is null`,
          found: 'text that is no UUID',
          expected: 'a UUID',
        },
      ]
    case 'jsonb':
      return [
        { predicate: `not json_valid(${expression})`, found: 'text that is not JSON', expected: 'JSON' },
        {
          predicate: `contains(${expression}, '\\u0000')`,
          found: 'JSON with the character \\u0000',
          expected: 'text without it',
        },
      ]
    case 'date':
      return [
        outside(
          expression,
          `< date '4714-11-24 (BC)' or ${expression} > date '5874897-12-31'`,
          '4713 BC to 5874897',
        ),
      ]
    case 'timestamp':
      return [outside(expression, `< timestamp '4714-11-24 (BC) 00:00:00'`, '4713 BC on')]
    case 'timestamptz':
      return [outside(expression, `< timestamptz '4714-11-24 (BC) 00:00:00+00'`, '4713 BC on')]
    case 'array':
      return type.of.kind === 'text' || type.of.kind === 'varchar' || type.of.kind === 'char'
        ? [
            {
              ...nul(expression),
              predicate: `list_bool_or(list_transform(${expression}, x -> contains(x, chr(0))))`,
            },
          ]
        : []
    default:
      return []
  }
}

function nul(expression: string): Refusal {
  return {
    predicate: `contains(${expression}, chr(0))`,
    found: 'text with a NUL character',
    expected: 'text without it',
  }
}

/** `limits` follows the expression. DuckDB's own last instant, 294247, is before PostgreSQL's. */
function outside(expression: string, limits: string, expected: string): Refusal {
  const predicate = `isfinite(${expression}) and (${expression} ${limits})`
  return { predicate, found: 'a date out of range', expected: `dates from ${expected}` }
}

type Refused = Refusal & { column: FittedColumn['column']; count: number; firstRow: number }

async function countRefused(
  duckdb: Duckdb,
  { file, rowStart, rowEnd, signal }: Chunk,
  refusals: (Refusal & { column: FittedColumn['column'] })[],
): Promise<Refused[]> {
  if (refusals.length === 0) return []
  const predicates = refusals.map((refusal) => refusal.predicate)
  const found = refusals.map((refusal) => ({ ...refusal, count: 0, firstRow: 0 }))
  const columns = file.columns.map(({ fileColumn }) => fileColumn)
  await using pieces = file.pieces({ rowStart, rowEnd, columns }, signal)
  for await (const rows of pieces.each()) {
    const [row] = await duckdb.query<Record<string, bigint | null>>(refusedValuesSql(rows, predicates))
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
      subject: `Column ${first.column.name}`,
      found: `${first.found} in ${first.count} row(s) of a chunk, the first in row ${first.firstRow}`,
      expected: first.expected,
    },
    {
      values: all.map(({ column, count, firstRow, found, expected }) => ({
        column: column.name,
        found,
        expected,
        count,
        first_row: firstRow,
      })),
    },
  )
}

/** PostgreSQL tells the line and the column of a COPY that it refuses; a line is a row of the chunk. */
function unexplained(error: unknown, chunk: { rowStart: number; rowEnd: number }): BulkError {
  const where = error instanceof Error && 'where' in error ? String(error.where) : ''
  const place = /line (\d+)(?:, column ([^\n:]+))?/.exec(where)
  const row = place ? chunk.rowStart + Number(place[1]) : undefined
  const message = messageOf(error)
  return new BulkError(
    'value_refused',
    {
      subject: place?.[2] ? `Column ${place[2]}` : `Rows ${chunk.rowStart + 1} to ${chunk.rowEnd}`,
      found: `a value that is refused${row ? ` in row ${row}` : ''} (${message})`,
      expected: 'values that fit the column',
    },
    { column: place?.[2], row },
    { cause: error },
  )
}

/** Class 22: data exceptions. DuckDB's casts say `Conversion Error`. */
function isAboutValues(error: unknown): boolean {
  if (error instanceof BulkError || isTransient(error)) return false
  if ((sqlState(error) ?? '').startsWith('22')) return true
  return error instanceof Error && error.message.startsWith('Conversion Error')
}
