import { BulkError } from '../../errors.ts'
import { type Csv, csvOf, type Figura, loadOf } from '../../figura/types.ts'
import type { SourceFile } from '../../source/source.ts'
import type { FileColumn } from '../fit.ts'
import { fieldSql, jsonTextSql, type SegmentColumn } from '../sql-formats.ts'
import { openAvro } from './avro.ts'
import { readCsv } from './csv.ts'
import type { Known } from './format.ts'
import { nameColumns } from './names.ts'
import { keysOf, readNdjson } from './ndjson.ts'
import type { Segment } from './sink.ts'
import { OWN_CSV } from './text.ts'
import { unpack } from './unpack.ts'

/** A file that is read from its beginning to its end; nothing in it tells where a row stands. */
export type Stream = {
  columns: FileColumn[]
  /** Null: not known before all is read. */
  rows: number | null
  /** Parts that can be read by themselves, in order. Absent: it is read as one. */
  parts?: Part[]
  /** The records, of all or of a part, as segments of CSV with some columns. */
  read(wanted: string[], signal: AbortSignal, from?: Part): Reading
}

/** Rows, and the bytes of the file that hold them; ends are exclusive. */
export type Part = { rowStart: number; rowEnd: number; byteStart: number; byteEnd: number }

/** How the segments are written, and what their columns are. */
export type Reading = {
  fields: number
  csv: Pick<Csv, 'delimiter' | 'quote' | 'nullText'>
  columns: SegmentColumn[]
  segments: AsyncGenerator<Segment, void, void>
}

export type StreamOptions = { figura: Figura; maxBytes: number; splitBytes: number | null }

/** Opens a file that is no parquet by what stands at its beginning. */
export async function openStream(
  source: SourceFile,
  { format, packing }: Known,
  { figura, maxBytes, splitBytes }: StreamOptions,
  signal: AbortSignal,
): Promise<Stream> {
  if (format === 'avro') return openAvro(source, { maxBytes, splitBytes }, signal)
  const bytes = (within: AbortSignal) =>
    unpack(source.stream(within), { packing, subject: source.name, maxBytes })
  const whole = source.tailStart === 0
  return format === 'csv'
    ? openCsv(source, csvOf(figura), { bytes, whole, signal })
    : openNdjson(figura, { bytes, signal })
}

type Text = { bytes: (signal: AbortSignal) => AsyncIterable<Uint8Array>; signal: AbortSignal }

async function openCsv(
  source: SourceFile,
  csv: Csv,
  { bytes, whole, signal }: Text & { whole: boolean },
): Promise<Stream> {
  let columns: (FileColumn & { written: string })[] | undefined
  let segments = 0
  let rows: number | null = 0
  for await (const part of readCsv(bytes(signal), csv)) {
    if ('names' in part) {
      columns = nameColumns(part.names.map((written) => ({ written, type: 'VARCHAR', loose: true })))
      // the rows of a small file are counted, for it is here
      if (whole) continue
      rows = null
      break
    }
    rows += part.segment.rows
    if (++segments < 2) continue
    rows = null
    break
  }
  if (!columns) {
    const found = 'no line'
    throw new BulkError('file_corrupt', {
      subject: source.name,
      found,
      expected: 'the names of the columns first',
    })
  }
  const names = columns.map(({ name }) => name)
  return {
    columns,
    rows,
    read: (wanted, within) => ({
      fields: names.length,
      csv,
      columns: wanted.map((name) => ({ name, expression: fieldSql(names.indexOf(name)) })),
      segments: segmentsOf(readCsv(bytes(within), csv)),
    }),
  }
}

async function* segmentsOf(parts: ReturnType<typeof readCsv>): AsyncGenerator<Segment, void, void> {
  for await (const part of parts) if ('segment' in part) yield part.segment
}

/** Rows that tell which columns an NDJSON file has, in bytes. */
const KEYS_BYTES = 16 * 1024 * 1024

async function openNdjson(figura: Figura, { bytes, signal }: Text): Promise<Stream> {
  const { keys, rows, whole } = await keysOf(bytes(signal), KEYS_BYTES)
  // each value twice: as text under the name that an expression calls it by, and as it stands in the file
  const named = nameColumns([...keys, ...keys].map((written) => ({ written, type: 'VARCHAR', loose: true })))
  const columns = keys.map((_, at) => ({ ...named[at]!, json: named[keys.length + at]!.name }))
  const late = whole ? () => false : lateKeys(figura, keys)
  return {
    columns,
    rows: whole ? rows : null,
    read: (wanted, within) => {
      const read = columns.filter(({ name }) => wanted.includes(name))
      return {
        fields: read.length + 1,
        csv: OWN_CSV,
        columns: read.flatMap(({ name, json }, at) => [
          { name, expression: jsonTextSql(fieldSql(at + 1)) },
          { name: json, expression: fieldSql(at + 1) },
        ]),
        segments: readNdjson(bytes(within), { keys: read.map(({ written }) => written), late }),
      }
    },
  }
}

/**
 * The keys that may not come later, since the figura reads them: what is no column by the first rows would be left out
 * of all.
 */
function lateKeys(figura: Figura, keys: string[]): (key: string) => boolean {
  const known = new Set(keys)
  const { extra = 'ignore' } = figura
  if (extra !== 'ignore') return (key) => !known.has(key)
  const marker = loadOf(figura).deleteMarker?.from
  const read = new Set(
    [
      ...figura.columns.flatMap(({ from, aliases = [] }) => [from, ...aliases]),
      ...(marker ? [marker] : []),
    ].map((name) => name.toLowerCase()),
  )
  const expressions = figura.columns.flatMap(({ expr }) => expr?.toLowerCase() ?? [])
  return (key) => {
    if (known.has(key)) return false
    const name = key.toLowerCase()
    return read.has(name) || expressions.some((expression) => expression.includes(name))
  }
}
