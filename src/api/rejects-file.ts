import { readRejects, type RejectedRow } from '../db/rejects-read.ts'
import type { Sql } from '../db/postgres.ts'
import type { Figura } from '../figura/types.ts'
import { inTime } from './in-time.ts'
import { parquetWriter } from './rejects-parquet.ts'

/** How all rejects of a job can be had at once. */
export const FILE_FORMATS = {
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
} as const

export type FileFormat = keyof typeof FILE_FORMATS

/** Rows that are in memory at once. A record has 10,000 characters at the most, mostly some hundred. */
const BATCH_ROWS = 1000

/** What is added to the columns of the file; none of its own is lost by it, as it would be by other names. */
export const ADDED = ['_file', '_row', '_column', '_rule', '_reason'] as const

/** Turns rows into the bytes of a file: what comes first, each batch, and what comes last. */
export type RowsWriter = {
  head(): Uint8Array
  rows(rejects: RejectedRow[]): Uint8Array
  end(): Uint8Array
}

/**
 * All rejects of a job as a file, in the order of its files. They are asked for in batches, each when the one before it
 * was taken: a slow reader holds neither memory nor a connection to PostgreSQL.
 */
export function rejectsFile(
  sql: Sql,
  { job, columns, format }: { job: string; columns: string[]; format: FileFormat },
): ReadableStream<Uint8Array> {
  const writer = writerOf(format, columns)
  let after: { file: number; row: number } | undefined
  return new ReadableStream<Uint8Array>({
    start: (stream) => enqueue(stream, writer.head()),
    pull: async (stream) => {
      const rejects = await inTime(readRejects(sql, job, { after, limit: BATCH_ROWS }))
      after = rejects.at(-1)
      if (rejects.length > 0) enqueue(stream, writer.rows(rejects))
      if (rejects.length === BATCH_ROWS) return
      enqueue(stream, writer.end())
      stream.close()
    },
  })
}

/** A stream that is given nothing asks no further. */
function enqueue(stream: ReadableStreamDefaultController<Uint8Array>, bytes: Uint8Array): void {
  if (bytes.length > 0) stream.enqueue(bytes)
}

/** The columns of the files as the figura orders them; what it does not name comes last. */
export function inOrder(columns: string[], figura: Figura | undefined): string[] {
  const named = (figura?.columns ?? []).flatMap((one) => [one.from, ...(one.aliases ?? []), one.name])
  const known = [...new Set(named)].filter((name) => columns.includes(name))
  const others = columns.filter((name) => !known.includes(name)).toSorted()
  return [...known, ...others].filter((name) => !ADDED.some((added) => added === name))
}

function writerOf(format: FileFormat, columns: string[]): RowsWriter {
  switch (format) {
    case 'csv':
      return csvWriter(columns)
    case 'ndjson':
      return ndjsonWriter(columns)
    case 'parquet':
      return parquetWriter(columns)
  }
}

const encoder = new TextEncoder()
const NOTHING = new Uint8Array()

function csvWriter(columns: string[]): RowsWriter {
  const line = (cells: (string | null)[]) => `${cells.map(csvCell).join(',')}\r\n`
  return {
    head: () => encoder.encode(line([...columns, ...ADDED])),
    rows: (rejects) => encoder.encode(rejects.map((reject) => line(cellsOf(reject, columns))).join('')),
    end: () => NOTHING,
  }
}

/** As RFC 4180 has it. A null is nothing, an empty text is "": so the two can be told apart. */
function csvCell(text: string | null): string {
  if (text === null) return ''
  return text === '' || /[",;\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function ndjsonWriter(columns: string[]): RowsWriter {
  return {
    head: () => NOTHING,
    rows: (rejects) => encoder.encode(rejects.map((reject) => `${ndjsonLine(reject, columns)}\n`).join('')),
    end: () => NOTHING,
  }
}

function ndjsonLine({ file, row, columnName, rule, reason, record }: RejectedRow, columns: string[]): string {
  const values = columns.map((name) => [name, record?.[name] ?? null])
  const added = { _file: file, _row: row, _column: columnName, _rule: rule, _reason: reason }
  return JSON.stringify({ ...Object.fromEntries(values), ...added })
}

function cellsOf({ file, row, columnName, rule, reason, record }: RejectedRow, columns: string[]) {
  return [
    ...columns.map((name) => record?.[name] ?? null),
    ...[String(file), String(row), columnName, rule, reason],
  ]
}
