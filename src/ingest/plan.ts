import type { Bounds } from '../config.ts'
import type { Chunk } from '../db/claims.ts'
import { BulkError } from '../errors.ts'
import type { Figura, Mode } from '../figura/types.ts'
import { checksKeys } from './duplicates.ts'
import type { OpenFile } from './file.ts'
import { type FileShape, UNKNOWN_ROWS } from './shape.ts'

/** What of a file decides how it is loaded. */
export type PlannedFile = Pick<OpenFile, 'no' | 'format' | 'shape' | 'columns'>

export type PlanOptions = { figura: Figura; mode: Mode; sha256: string | null; bounds: Bounds }

/**
 * Decides how the files of a job are loaded: pure, so that it can be tested as data. The checks of the whole come
 * first, so that a repeated key or a wrong digest is known while rows are on their way.
 * @throws BulkError `schema_differs` when the files have not the same columns, `file_too_large` when there are too many
 * rows
 */
export function planFiles(files: PlannedFile[], { figura, mode, sha256, bounds }: PlanOptions): Chunk[] {
  refuseRows({ rows: rowsOf(files) ?? 0, files: files.length }, figura, bounds)
  refuseOtherColumns(files, figura)
  const [first, other] = files
  const chunks: Omit<Chunk, 'no'>[] = []
  const check = (kind: 'keys' | 'digest') =>
    chunks.push({
      kind,
      file: 0,
      rowStart: 0,
      rowEnd: first?.shape.rows ?? 0,
      byteStart: null,
      byteEnd: null,
    })
  const load = { figura, mode, parquet: first?.format === 'parquet', files: files.length }
  if (checksKeys(load)) check('keys')
  if (sha256 && !other) check('digest')
  for (const { no, shape } of files)
    for (const range of shape.parts ?? cutRows(shape, bounds))
      chunks.push({ kind: 'rows', file: no, byteStart: null, byteEnd: null, ...range })
  return chunks.map((chunk, no) => ({ no, ...chunk }))
}

/**
 * Holds the rows of all files of a job to what they may be.
 * @throws BulkError `file_too_large`
 */
export function refuseRows(
  { rows, files }: { rows: number; files: number },
  { limits }: Figura,
  { fileRows }: Bounds,
): void {
  const maxRows = Math.min(limits?.maxRows ?? fileRows, fileRows)
  if (rows <= maxRows) return
  throw new BulkError('file_too_large', {
    subject: files > 1 ? 'The files' : 'The file',
    found: `${rows} rows`,
    expected: `at most ${maxRows} (${maxRows < fileRows ? 'limits of the figura' : 'FILE_MAX_ROWS'})`,
    action: files > 1 ? 'Send the files in several jobs.' : undefined,
  })
}

/** The rows of all files; null: not known before all is read. */
export function rowsOf(files: Pick<PlannedFile, 'shape'>[]): number | null {
  if (files.some(({ shape }) => shape.rows === UNKNOWN_ROWS)) return null
  return files.reduce((sum, { shape }) => sum + shape.rows, 0)
}

/** A column that one file lacks would be null in its rows, and overwrite what the table has. */
function refuseOtherColumns(files: PlannedFile[], figura: Figura): void {
  const [first, ...others] = files
  const names = (file: PlannedFile) => file.columns.map(({ column }) => column.name)
  for (const file of others) {
    const here = names(file)
    const there = first ? names(first) : []
    const differing = [
      ...there.filter((name) => !here.includes(name)),
      ...here.filter((name) => !there.includes(name)),
    ]
    if (differing.length === 0) continue
    const differences = differing.map((column) => ({
      column,
      found: `it in file ${here.includes(column) ? file.no + 1 : 1} alone, of files 1 and ${file.no + 1}`,
      expected: 'the same columns in each file of a job',
      fix: 'write the column into all of the files, or into none',
    }))
    throw new BulkError(
      'schema_differs',
      {
        subject: `The files for ${figura.name}`,
        found: `column(s) that only some of them have (${differing.join(', ')})`,
        expected: 'the same columns in each',
      },
      { differences },
    )
  }
}

/**
 * Cuts the rows of a file into chunks that take about the same time: of whole row groups, joined while they stay within
 * the bounds, and so many that every thread of a small cluster has several. Only a row group that is larger than that
 * by itself is split by rows, into few parts, for each of them fetches all of it. A file that is no parquet is one
 * chunk: where a row begins in it is known when all before it is read.
 */
export function cutRows(shape: FileShape, bounds: Bounds): { rowStart: number; rowEnd: number }[] {
  if (shape.rowGroups.length === 0) return [{ rowStart: 0, rowEnd: shape.rows }]
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

  return ranges
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
