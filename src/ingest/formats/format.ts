import { BulkError } from '../../errors.ts'
import type { Format } from '../../job.ts'
import { lookOf, TEXT } from '../../source/look.ts'
import type { SourceFile } from '../../source/source.ts'
import { headOf, type Packing, unpack } from './unpack.ts'

/** What a file is, as its bytes tell; its name says nothing. */
export type Known = { format: Format; packing: Packing }

/** Enough for every signature, and for the first letters of a text. */
const HEAD_BYTES = 512

/**
 * Tells what a file is. A parquet file is known by its end, which is here already; of another one the beginning is
 * asked for.
 * @throws BulkError `file_not_known`, and those of the source
 */
export async function tellFormat(source: SourceFile, signal: AbortSignal): Promise<Known> {
  const end = latin1(source.tail.subarray(-4))
  if (end === 'PAR1' || end === 'PARE') return { format: 'parquet', packing: null }
  const head = await headOf(beginning(source, signal), HEAD_BYTES)
  const start = latin1(head)
  // its end is missing, which is told where the footer is read
  if (start.startsWith('PAR1')) return { format: 'parquet', packing: null }
  if (start.startsWith('Obj\x01')) return { format: 'avro', packing: null }
  const packing = start.startsWith('\x1f\x8b') ? 'gzip' : start.startsWith('\x28\xb5\x2f\xfd') ? 'zstd' : null
  if (packing === null) return { format: tellText(source, head, ''), packing }
  const unpacked = unpack(beginning(source, signal), { packing, subject: source.name, maxBytes: Infinity })
  return { format: tellText(source, await headOf(unpacked, HEAD_BYTES), ` packed with ${packing}`), packing }
}

/** The first bytes, and more as they are asked for: no more of a large file is fetched than is needed. */
async function* beginning(source: SourceFile, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  if (source.ranged || source.tailStart === 0) {
    for (let at = 0; at < source.bytes; at += HEAD_STEP_BYTES)
      yield* source.read(at, Math.min(at + HEAD_STEP_BYTES, source.bytes), signal)
  } else yield* source.stream(signal)
}

/** One request; the first bytes of an archive may need a second one. */
const HEAD_STEP_BYTES = 64 * 1024

/** One object a line, or a text with separators. */
function tellText(source: SourceFile, head: Uint8Array, packed: string): 'csv' | 'ndjson' {
  const start = latin1(head)
  if (/^(\xff\xfe|\xfe\xff)/.test(start)) {
    throw unknown(source, `a text in UTF-16${packed}`, 'Write the file in UTF-8.')
  }
  const text = start.replace(/^\xef\xbb\xbf/, '')
  if (/^\s*\{/.test(text)) return 'ndjson'
  // what is in an archive is looked at as what stands alone is, but no avro and no parquet is packed again
  const look = lookOf(head)
  if (look !== TEXT) throw unknown(source, `${look}${packed}`)
  return 'csv'
}

function unknown({ name }: SourceFile, found: string, action?: string): BulkError {
  return new BulkError('file_not_known', {
    subject: name,
    found,
    expected: 'parquet, avro, CSV or NDJSON (CSV and NDJSON also as gzip or zstd)',
    action,
  })
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
