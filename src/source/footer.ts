import { BulkError } from '../errors.ts'
import type { Range } from './answer.ts'
import { hex, lookOf } from './look.ts'
import type { LocalFile } from './ranged.ts'
import type { SourceFile } from './source.ts'
import { weighFooter } from './thrift.ts'

/** Length of the footer (4 bytes, little endian) and the magic that ends a parquet file. */
const TRAILER_BYTES = 8
/** 'PAR1' at the start, and the trailer. */
const SMALLEST_BYTES = 12

/**
 * Sees to it that the whole footer of a parquet file stands in the local file; mostly it came with the tail
 * already. Returns where the footer and the trailer are.
 * @throws BulkError `file_not_parquet` saying what it looks like, `file_corrupt`, `file_too_large` when the
 * footer is longer than `footerBytes`, and those of reading
 */
export async function fetchFooter(
  file: SourceFile,
  local: LocalFile,
  { footerBytes, signal }: { footerBytes: number; signal?: AbortSignal },
): Promise<Range> {
  const trailer = await local.take(
    { start: Math.max(0, file.bytes - TRAILER_BYTES), end: file.bytes },
    signal,
  )
  if (file.bytes < SMALLEST_BYTES || latin1(trailer.subarray(4)) !== 'PAR1') {
    const head = await local.take({ start: 0, end: Math.min(HEAD_BYTES, file.bytes) }, signal)
    throw notParquet(file, head, trailer)
  }
  const range = footerRange(trailer, file.bytes)
  const length = range.end - range.start
  if (range.start < 4) throw corrupt(file, `a footer of ${length} bytes in a file of ${file.bytes}`)
  if (length > footerBytes) throw tooLarge(file, `a footer of ${length} bytes`, footerBytes)
  // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- a file is filled, not an array
  await local.fill([range], signal)
  checkFooter(file, (await local.take(range, signal)).subarray(0, -TRAILER_BYTES))
  return range
}

/** What a footer may become in memory: an honest one of 64 MiB, the most that is read, becomes 0.8 GB. */
const UNFOLDED_BYTES = 1024 * 1024 * 1024

/** Levels of columns within columns: DuckDB goes down them on the stack, which ends between 5,000 and 10,000. */
const LEVELS = 250

/** Before DuckDB reads it: see weighFooter(). */
function checkFooter(file: SourceFile, bytes: Uint8Array): void {
  const weight = weighFooter(bytes)
  if (!weight) throw corrupt(file, 'a footer that claims more than it has')
  if (weight.bytes > UNFOLDED_BYTES)
    throw tooLarge(file, `a footer of ${weight.bytes} bytes in memory`, UNFOLDED_BYTES)
  if (weight.depth > LEVELS) throw tooLarge(file, `columns nested ${weight.depth} levels deep`, LEVELS)
}

/**
 * Where the footer of a parquet file is, with its trailer, as the last 8 bytes say. Not checked: `start` may
 * be negative.
 */
function footerRange(trailer: Uint8Array, fileBytes: number): Range {
  const length = new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true)
  return { start: fileBytes - TRAILER_BYTES - length, end: fileBytes }
}

/** Enough to tell text from the rest. */
const HEAD_BYTES = 64

function notParquet(file: SourceFile, headBytes: Uint8Array, trailer: Uint8Array): BulkError {
  const head = latin1(headBytes)
  const end = latin1(trailer.subarray(-4))
  if (file.bytes === 0) return differs(file, 'an empty file')
  if (end === 'PARE') return differs(file, 'an encrypted parquet file', 'Write it without encryption.')
  if (head.startsWith('PAR1'))
    return corrupt(file, `${file.bytes} bytes that begin as parquet, without its end`)
  const look = lookOf(headBytes)
  return differs(
    file,
    look.includes('begins with') ? `${look} and ends with ${hex(trailer.subarray(-4))}` : look,
  )
}

function differs({ name }: SourceFile, found: string, action?: string): BulkError {
  return new BulkError('file_not_parquet', {
    subject: name,
    found,
    expected: 'a parquet file, with PAR1 at its end',
    action,
  })
}

function corrupt({ name }: SourceFile, found: string): BulkError {
  return new BulkError('file_corrupt', { subject: name, found, expected: 'a whole parquet file' })
}

function tooLarge({ name }: SourceFile, found: string, max: number): BulkError {
  return new BulkError('file_too_large', {
    subject: name,
    found,
    expected: `at most ${max}`,
    action: 'Write the file with larger row groups or fewer columns, or split it.',
  })
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
