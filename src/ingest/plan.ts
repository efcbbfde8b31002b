import type { Bounds } from '../config.ts'
import type { Chunk } from '../db/claims.ts'
import { BulkError } from '../errors.ts'
import type { FileShape } from './shape.ts'

/** The cut of a file into chunks, and how each column is read. */
type Plan = { chunks: Chunk[] }

/**
 * Decides how a file is cut: pure, so that it can be tested as data.
 * @param keys whether the keys are to be looked at
 * @throws BulkError `file_too_large` when the footer says too many rows
 */
export function planFile(
  shape: FileShape,
  { sha256, bounds, keys }: { sha256: string | null; bounds: Bounds; keys: boolean },
): Plan {
  if (shape.rows > bounds.fileRows) {
    throw new BulkError('file_too_large', {
      subject: 'The file',
      found: `${shape.rows} rows`,
      expected: `at most ${bounds.fileRows} (FILE_MAX_ROWS)`,
    })
  }
  return { chunks: cutChunks(shape, { sha256, bounds, keys }) }
}

/**
 * Cuts a file into chunks that take about the same time: of whole row groups, joined while they stay within the bounds,
 * and so many that every thread of a small cluster has several. Only a row group that is larger than that by itself is
 * split by rows, into few parts, for each of them fetches all of it. The checks come first, so that a repeated key or a
 * wrong digest is known while rows are on their way.
 */
export function cutChunks(
  shape: FileShape,
  { sha256, bounds, keys }: { sha256: string | null; bounds: Bounds; keys: boolean },
): Chunk[] {
  const groups = shape.rowGroups.map((group) => ({
    ...group,
    work: group.bytes + group.rows * shape.columns.length * VALUE_WORK,
  }))
  const aim = Math.max(CHUNK_WORK, groups.reduce((sum, { work }) => sum + work, 0) / CHUNKS)
  const ranges: { rowStart: number; rowEnd: number }[] = []
  let rowStart = 0
  let rowEnd = 0
  let held = { bytes: 0, work: 0 }
  const close = () => {
    if (rowEnd > rowStart) ranges.push({ rowStart, rowEnd })
    rowStart = rowEnd
    held = { bytes: 0, work: 0 }
  }
  for (const group of groups) {
    const { rows, bytes, work } = group
    const parts = partsOf(group, { aim, bounds })
    const tooLarge = rowEnd - rowStart + rows > bounds.chunkRows || held.bytes + bytes > bounds.chunkBytes
    // what comes nearest to the aim: half of a row group may be above it
    if (parts > 1 || tooLarge || held.work + work / 2 > aim) close()
    const groupEnd = rowEnd + rows
    const step = Math.ceil(rows / parts)
    while (parts > 1 && rowEnd < groupEnd) {
      rowEnd = Math.min(rowEnd + step, groupEnd)
      close()
    }
    if (parts > 1) continue
    rowEnd = groupEnd
    held = { bytes: held.bytes + bytes, work: held.work + work }
  }
  close()
  if (ranges.length === 0) ranges.push({ rowStart: 0, rowEnd: 0 })

  const kinds: Chunk['kind'][] = [...(keys ? ['keys' as const] : []), ...(sha256 ? ['digest' as const] : [])]
  const checks = kinds.map((kind, no) => ({ no, kind, rowStart: 0, rowEnd: shape.rows }))
  return [
    ...checks,
    ...ranges.map((range, at) => ({ no: checks.length + at, kind: 'rows' as const, ...range })),
  ]
}

/**
 * The work of a value, in bytes, beside the bytes that it has in the file: a dictionary makes a column of a few bytes,
 * and its values are written out all the same. An estimate; a chunk that takes twice as long as another does no harm.
 */
const VALUE_WORK = 8

/** Chunks that a large file has at the least: four for each of four threads, so that none waits long for the last. */
const CHUNKS = 16

/** The least work of a chunk: about 50 ms of a thread; its message, claim and transaction take 10 to 20 ms more. */
const CHUNK_WORK = 8 * 1024 * 1024

/**
 * Parts of one row group: each fetches all of it (the footer does not say where in it a row stands), but skips the rows
 * of the others almost for nothing. Four at the most, or what keeps a part below four times the bounds.
 */
const PARTS = 4

function partsOf(
  { rows, bytes, work }: { rows: number; bytes: number; work: number },
  { aim, bounds }: { aim: number; bounds: Bounds },
): number {
  const bounded = Math.ceil(Math.max(rows / bounds.chunkRows, bytes / bounds.chunkBytes))
  const wanted = Math.max(1, bounded, Math.floor(work / (2 * aim)))
  return Math.min(wanted, Math.max(PARTS, Math.ceil(bounded / PARTS)))
}
