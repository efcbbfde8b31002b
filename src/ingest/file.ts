import { join } from 'node:path'
import type { ClaimedJob } from '../db/claims.ts'
import { BulkError } from '../errors.ts'
import { publicUrl } from '../job.ts'
import { type Ahead, fetchAhead } from '../source/ahead.ts'
import { checkSource } from '../source/check.ts'
import { fetchFooter } from '../source/footer.ts'
import { createLocalFile, type LocalFile } from '../source/ranged.ts'
import { openSource, type SourceFile } from '../source/source.ts'
import type { Context } from './context.ts'
import type { FittedColumn } from './fit.ts'
import { fitFile } from './fit-file.ts'
import type { Opened } from './opened.ts'
import { cutPieces, type Wanted } from './pieces.ts'
import { type LocalRows, parquetRelation } from './sql-duckdb.ts'
import type { Reading } from './rules.ts'
import { readShape, type FileShape } from './shape.ts'

/** A job's file, open: its footer is read, and its rows can be had in pieces. Disposing of it ends that. */
export type OpenFile = AsyncDisposable & {
  source: SourceFile
  shape: FileShape
  /** The columns of the stage. */
  columns: FittedColumn[]
  reading: Reading
  /** Begins to fetch some rows of some columns. Dispose of the pieces, whether they were read or not. */
  pieces(wanted: Wanted, signal: AbortSignal): Pieces
}

/**
 * Rows as they arrive, each piece in a local file that DuckDB can read: a file as long as the source, with the footer
 * and the bytes of these rows in it. The next piece is fetched while one is read; then that one is deleted.
 */
export type Pieces = AsyncDisposable & {
  /** Resolves when the first piece is there. */
  ready(): Promise<void>
  each(): AsyncGenerator<LocalRows & { path: string }, void, void>
}

/**
 * Opens the file of a job by its footer alone. When the job was planned before, it must still be the same file, and a
 * thread that has opened it for this plan already asks nobody again.
 * @param name of the local copies, one for each piece of work
 * @param planned false: this is the look by which the file is planned
 * @throws BulkError of the source, `file_too_large`, `file_not_parquet`, `file_corrupt`, `schema_differs`
 */
export async function openFile(
  job: ClaimedJob,
  { name, stage, planned }: { name: string; stage: number; planned: boolean },
  context: Context,
  signal: AbortSignal,
): Promise<OpenFile> {
  const { bounds, s3, allowLoopback, workDir } = context.config
  // asked again here, where the file is fetched: what stands in the row is not trusted to have been checked
  checkSource(job.url, job.definition.sources, allowLoopback)
  const path = join(workDir, name)
  const known = planned ? context.opened.find({ job: job.id, stage, etag: job.etag }) : undefined
  if (known) {
    const local = isWhole(known.source)
      ? await createLocalFile({ file: known.source, path: `${path}.parquet` })
      : undefined
    return asOpenFile(known, { path, local, pieceBytes: bounds.pieceBytes })
  }
  const options = { s3, allowLoopback, tailBytes: bounds.tailBytes, expectedEtag: job.etag, signal }
  const source = await openSource(job.url, options)
  refuseSize(source, job, bounds.fileBytes)
  const local = await createLocalFile({ file: source, path: `${path}.parquet` })
  try {
    const opened = await readFooter(job, { source, local }, context, signal)
    context.opened.keep({ job: job.id, stage, etag: source.etag }, opened)
    if (isWhole(source)) return asOpenFile(opened, { path, local, pieceBytes: bounds.pieceBytes })
    await local.dispose()
    return asOpenFile(opened, { path, pieceBytes: bounds.pieceBytes })
  } catch (error) {
    await local.dispose()
    throw error
  }
}

/** Whether the file comes at once: a small one with the first request, and any where the server has no ranges. */
function isWhole({ tailStart, ranged }: SourceFile): boolean {
  return tailStart === 0 || !ranged
}

async function readFooter(
  job: ClaimedJob,
  { source, local }: { source: SourceFile; local: LocalFile },
  { config, duckdb }: Context,
  signal: AbortSignal,
): Promise<Opened> {
  const range = await fetchFooter(source, local, { footerBytes: config.bounds.footerBytes, signal })
  const { shape, places } = await asCorrupt(source, () => readShape(duckdb, local.path))
  const reading = await fitFile(duckdb, job, { columns: shape.columns, parquet: true, no: 0, files: 1 })
  const footer = { start: range.start, bytes: await local.take(range, signal) }
  return { source, footer, shape, places, reading }
}

function asOpenFile(
  { source, footer, shape, places, reading }: Opened,
  { path, local, pieceBytes }: { path: string; local?: LocalFile; pieceBytes: number },
): OpenFile {
  let fetched = 0
  function pieces(wanted: Wanted, signal: AbortSignal): Pieces {
    if (local) return inOne(local, { wanted, signal })
    const cut = cutPieces({ shape, places, fileBytes: source.bytes }, wanted, pieceBytes)
    const no = fetched++
    const ahead = fetchAhead(
      { file: source, held: footer, pieces: cut.map(({ ranges }) => ranges) },
      { path: (piece) => `${path}-${no}-${piece}.parquet`, signal },
    )
    return inTurn(ahead, cut)
  }
  return {
    source,
    shape,
    columns: reading.columns,
    reading,
    pieces,
    [Symbol.asyncDispose]: async () => local?.dispose(),
  }
}

function inTurn(ahead: Ahead, cut: { rowStart: number; rowEnd: number }[]): Pieces {
  async function* each(): ReturnType<Pieces['each']> {
    for (const { rowStart, rowEnd } of cut) {
      const path = await ahead.next()
      if (path !== undefined) yield { path, relation: parquetRelation(path), rowStart, rowEnd }
    }
  }
  return { ready: ahead.ready, each, [Symbol.asyncDispose]: ahead[Symbol.asyncDispose] }
}

/** All rows from one local file, which outlives them. */
function inOne(local: LocalFile, { wanted, signal }: { wanted: Wanted; signal: AbortSignal }): Pieces {
  const { rowStart, rowEnd } = wanted
  const ready = async () => {
    // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- a file is filled, not an array
    if (rowStart < rowEnd) await local.fill([{ start: 0, end: local.bytes }], signal)
  }
  async function* each(): ReturnType<Pieces['each']> {
    await ready()
    const { path } = local
    if (rowStart < rowEnd) yield { path, relation: parquetRelation(path), rowStart, rowEnd }
  }
  return { ready, each, [Symbol.asyncDispose]: async () => {} }
}

function refuseSize(source: SourceFile, job: ClaimedJob, maxBytes: number): void {
  if (source.bytes > maxBytes) {
    throw new BulkError('file_too_large', {
      subject: source.name,
      found: `${source.bytes} bytes`,
      expected: `at most ${maxBytes} (FILE_MAX_GB)`,
    })
  }
  if (job.bytes === null || job.bytes === source.bytes) return
  throw new BulkError('source_changed', {
    subject: publicUrl(job.url),
    found: `a file of ${source.bytes} bytes`,
    expected: `the file of ${job.bytes} bytes that it was at first`,
  })
}

/** What DuckDB says of a file that it cannot read, as the error of that file; its other errors as they are. */
export async function asCorrupt<T>(source: SourceFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw fileError(source, error)
  }
}

/** The same for an error that is at hand. */
export function fileError(source: SourceFile, error: unknown): unknown {
  if (error instanceof Error && error.message.startsWith('Out of Memory Error'))
    return tooLarge(source, error)
  return isAboutFile(error) ? corrupt(source, error) : error
}

/** DuckDB's errors begin with their class. Out of Memory, Interrupt and Internal errors are not the file's fault. */
function isAboutFile(error: unknown): error is Error {
  return error instanceof Error && FILE_ERRORS.test(error.message) && !HOST_ERRORS.test(error.message)
}

/** What the system says of its own disk and limits, as glibc spells it. */
const HOST_ERRORS = /No space left on device|Disk quota exceeded|Too many open files|Cannot allocate memory/

const FILE_ERRORS =
  /^(IO|Invalid Input|Invalid|Serialization|Not implemented|Binder|Invalid type|Out of Range|TransactionContext) Error/i

/** A page is unpacked in one piece, and some writers make one page of a whole row group: a second try needs as much. */
function tooLarge(source: SourceFile, error: Error): BulkError {
  return new BulkError(
    'file_too_large',
    {
      subject: source.name,
      found: `pages that do not fit into memory (${error.message.split('\n')[0]})`,
      expected: 'pages that do (DUCKDB_MEMORY_MB)',
      action: 'Write the file with smaller row groups or pages, or give the worker more memory.',
    },
    {},
    { cause: error },
  )
}

function corrupt(source: SourceFile, error: Error): BulkError {
  const said = error.message
    .split('\n')[0]
    ?.replace(/"[^"]*\/[^"]*"|'[^']*\/[^']*'|\/\S+\.parquet/g, 'the file')
  return new BulkError(
    'file_corrupt',
    { subject: source.name, found: `that it cannot be read (${said})`, expected: 'a parquet file' },
    {},
    { cause: error },
  )
}
