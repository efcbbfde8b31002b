import { BulkError } from '../../errors.ts'
import type { SourceFile } from '../../source/source.ts'
import { fieldSql } from '../sql-formats.ts'
import { AvroFault, ManyValues, readAvro } from './avro-cursor.ts'
import {
  type AvroBlock,
  type AvroHeader,
  readBlocks,
  readHeader,
  takeFrom,
  type Taker,
  unpackBlock,
} from './avro-blocks.ts'
import { type AvroFields, readSchema } from './avro-schema.ts'
import { largeRow, manyValues, RECORD_BYTES } from './fault.ts'
import { nameColumns } from './names.ts'
import { createSink, type Segment } from './sink.ts'
import type { Part, Stream } from './stream.ts'
import { csvLine, OWN_CSV, writeText } from './text.ts'

/**
 * Opens an avro object container file by its header. The rows are counted by the heads of its blocks where the file is
 * here as a whole, or where it is large, to be read by several threads.
 * @param splitBytes of a file from so many bytes on the parts are looked for; null: no more is asked than its header
 * @throws BulkError `file_corrupt`, `file_not_known`, `file_too_large`
 */
export async function openAvro(
  source: SourceFile,
  { maxBytes, splitBytes }: { maxBytes: number; splitBytes: number | null },
  signal: AbortSignal,
): Promise<Stream> {
  const split = splitBytes !== null && source.ranged && source.bytes >= splitBytes
  const taker = takeFrom(source.stream(signal))
  const { header, fields, parts } = await damaged(source, async () => {
    try {
      const head = await readHeader(taker)
      const read = readSchema(head.schema)
      const counted = split || source.tailStart === 0
      return {
        header: head,
        fields: read,
        parts: counted ? await findParts(taker, head.sync, source.bytes) : null,
      }
    } finally {
      await taker.close()
    }
  })
  const columns = nameColumns(
    // a column that is null in every row fits any type
    fields.map(({ name, reader: { type, empty } }) => ({
      written: name,
      type,
      ...(empty && { loose: true }),
    })),
  )
  return {
    columns,
    rows: parts ? (parts.at(-1)?.rowEnd ?? 0) : null,
    parts: split ? (parts ?? undefined) : undefined,
    read: (wanted, within, from) => {
      const at = wanted.map((name) => columns.findIndex((column) => column.name === name))
      return {
        fields: wanted.length + 1,
        csv: OWN_CSV,
        columns: wanted.map((name, no) => ({
          name,
          expression: fields[at[no]!]!.reader.sql(fieldSql(no + 1)),
        })),
        segments: readRecords(source, { header, fields, at, maxBytes, from }, within),
      }
    },
  }
}

/** Parts that a large file has at the least: four for each of four threads; and the bytes of one. */
const PARTS = 16
const PART_BYTES = 8 * 1024 * 1024

/** Joins the blocks of a file to parts, by their heads; what is in them is passed. */
async function findParts(taker: Taker, sync: Uint8Array, fileBytes: number): Promise<Part[]> {
  const parts: Part[] = []
  const aim = Math.max(PART_BYTES, fileBytes / PARTS)
  let rows = 0
  for await (const block of readBlocks(taker, sync)) {
    const last = parts.at(-1)
    const byteEnd = taker.at()
    if (last && byteEnd - last.byteStart <= aim) {
      last.rowEnd = rows + block.rows
      last.byteEnd = byteEnd
    } else parts.push({ rowStart: rows, rowEnd: rows + block.rows, byteStart: block.at, byteEnd })
    rows += block.rows
  }
  return parts
}

type Records = {
  header: AvroHeader
  fields: AvroFields
  at: number[]
  maxBytes: number
  from: Part | undefined
}

async function* readRecords(
  source: SourceFile,
  { header, fields, at, maxBytes, from }: Records,
  signal: AbortSignal,
): AsyncGenerator<Segment, void, void> {
  const sink = createSink()
  const start = from?.byteStart ?? header.bytes
  const taker = source.ranged
    ? takeFrom(source.read(start, from?.byteEnd ?? source.bytes, signal), start)
    : takeFrom(source.stream(signal))
  let bytes = 0
  try {
    if (!source.ranged) await taker.take(start)
    for await (const block of readBlocks(taker, header.sync)) {
      const unpacked = unpackBlock(header.codec, block)
      bytes += unpacked.length
      if (bytes > maxBytes) throw expanded(source, maxBytes)
      yield* readBlock(unpacked, block, { fields, at, before: from?.rowStart ?? 0 }, sink)
    }
  } catch (error) {
    throw faultOf(source, error)
  } finally {
    await taker.close()
  }
  const last = sink.take()
  if (last) yield last
}

function* readBlock(
  bytes: Uint8Array,
  block: AvroBlock,
  { fields, at, before }: Pick<Records, 'fields' | 'at'> & { before: number },
  sink: ReturnType<typeof createSink>,
): Generator<Segment, void, void> {
  const cursor = readAvro(bytes)
  const column = fields.map((_, no) => at.indexOf(no))
  const values: (string | null)[] = at.map(() => null)
  for (let row = 0; row < block.rows; row++) {
    const number = before + sink.rows() + 1
    const { at: start } = cursor
    cursor.record()
    try {
      for (let no = 0; no < fields.length; no++) {
        const value = fields[no]!.reader.text(cursor)
        if (column[no]! >= 0) values[column[no]!] = value
      }
    } catch (error) {
      if (error instanceof ManyValues) throw manyValues(number)
      if (error instanceof AvroFault)
        throw new AvroFault(`${error.message} in row ${number}, in the block at byte ${block.at}`)
      throw error
    }
    if (cursor.at - start > RECORD_BYTES) throw largeRow(number)
    writeText(sink, csvLine(values))
    sink.end()
    const segment = sink.full() ? sink.take() : undefined
    if (segment) yield segment
  }
  if (!cursor.end())
    throw new AvroFault(`${cursor.left()} bytes behind the last row of the block at byte ${block.at}`)
}

async function damaged<T>(source: SourceFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw faultOf(source, error)
  }
}

/** What avsc says of a schema, and what is found in the bytes, as the error of the file. */
function faultOf(source: SourceFile, error: unknown): unknown {
  if (error instanceof BulkError || !(error instanceof Error)) return error
  const isOurs = error instanceof AvroFault
  if (!isOurs && !SCHEMA_ERRORS.test(`${error.name} ${error.message}`)) return error
  return new BulkError(
    'file_corrupt',
    {
      subject: source.name,
      found: isOurs ? error.message : `a schema that cannot be read (${error.message})`,
      expected: 'an avro object container file',
    },
    {},
    { cause: error },
  )
}

/** avsc throws plain errors; those of the network and of an abort are others. */
const SCHEMA_ERRORS =
  /^(SyntaxError|TypeError|RangeError|Error (invalid|undefined|unknown|duplicate|missing|ambiguous|no |non-))/

function expanded(source: SourceFile, maxBytes: number): BulkError {
  return new BulkError('file_too_large', {
    subject: source.name,
    found: `more than ${maxBytes} bytes when it is unpacked`,
    expected: 'at most that (FILE_EXPANDED_MAX_GB)',
  })
}
