import { join } from 'node:path'
import type { Chunk, ClaimedJob } from '../db/claims.ts'
import type { Bounds } from '../config.ts'
import { readFile } from '../db/files.ts'
import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import { type Format, publicUrl } from '../job.ts'
import { unsealUrl } from '../seal.ts'
import { type Ahead, fetchAhead } from '../source/ahead.ts'
import { checkSource } from '../source/check.ts'
import { fetchFooter } from '../source/footer.ts'
import { createLocalFile, type LocalFile } from '../source/ranged.ts'
import { openOptions, openSource, type SourceFile } from '../source/source.ts'
import type { Context } from './context.ts'
import { asCorrupt } from './file-error.ts'
import type { FittedColumn } from './fit.ts'
import { fitFile } from './fit-file.ts'
import { type Known, tellFormat } from './formats/format.ts'
import { openStream, type Part } from './formats/stream.ts'
import { streamPieces } from './formats/streamed.ts'
import type { Opened } from './opened.ts'
import { cutPieces, type Wanted } from './pieces.ts'
import type { Reading } from './rules.ts'
import { type LocalRows, parquetRelation } from './sql-duckdb.ts'
import { type FileShape, readShape, refuseColumns, UNKNOWN_ROWS } from './shape.ts'

/** A job's file, open: its footer is read, and its rows can be had in pieces. Disposing of it ends that. */
export type OpenFile = AsyncDisposable & {
  /** Its number among the files of the job. */
  no: number
  format: Format
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

/** Which file of a job is opened, and for what. */
export type Opening = {
  /** Of the local copies, one for each piece of work. */
  name: string
  stage: number
  /** False: this is the look by which the file is planned. */
  planned: boolean
  /** Its number among the files of the job. */
  no: number
  /** The chunk of rows that it is opened for, if it is one. */
  chunk?: Chunk
}

/** A file of a job: its address, and what it was when it was planned. */
export type JobFile = { url: string; etag: string | null; bytes: number | null }

/** The files of a job; of several, what they were is not in the job's row. */
export function filesOf(job: Pick<ClaimedJob, 'url' | 'urls' | 'etag' | 'bytes'>): JobFile[] {
  const [url = job.url, ...others] = job.urls ?? []
  // a pattern may stand for one file
  if (others.length === 0) return [{ url, etag: job.etag, bytes: job.bytes }]
  return [url, ...others].map((one) => ({ url: one, etag: null, bytes: null }))
}

/**
 * Opens a file of a job: a parquet file by its footer alone, others by their beginning. When the job was planned
 * before, it must still be the same file, and a thread that has opened it for this plan already asks nobody again.
 * @throws BulkError of the source, `file_too_large`, `file_not_known`, `file_not_parquet`, `file_corrupt`,
 * `schema_differs`
 */
export async function openFile(
  job: ClaimedJob,
  { name, stage, planned, no, chunk }: Opening,
  context: Context,
  signal: AbortSignal,
): Promise<OpenFile> {
  const { bounds, workDir } = context.config
  const files = filesOf(job)
  const file =
    (files.length > 1 && planned ? await readFile(context.sql, job.id, no) : undefined) ?? files[no]
  if (!file) throw new Error(`The job has no file ${no}`)
  // asked again here, where the file is fetched: what stands in the row is not trusted to have been checked
  checkSource(file.url, job.definition.sources, context.config)
  const path = join(workDir, name)
  const asOpen = (opened: Opened, local?: LocalFile) =>
    asOpenFile(opened, {
      no,
      path,
      local,
      pieceBytes: bounds.pieceBytes,
      maxRows: maxRowsOf(job.definition, bounds),
      part: chunk && partOf(chunk),
    })
  const known = planned ? context.opened.find({ job: job.id, stage, file: no, etag: file.etag }) : undefined
  if (known) {
    const whole = isWhole(known.source) && !('stream' in known)
    return asOpen(
      known,
      whole ? await createLocalFile({ file: known.source, path: `${path}.parquet` }) : undefined,
    )
  }
  const { secretKey: key } = context.config
  const url = unsealUrl(file.url, { no, sealed: job.secret, job: job.id, key })
  const source = await openSource(url, { ...openOptions(context.config), expectedEtag: file.etag, signal })
  refuseSize(source, file, { figura: job.definition, bounds })
  const keep = (opened: Opened) =>
    context.opened.keep({ job: job.id, stage, file: no, etag: source.etag }, opened)
  const format = await tellFormat(source, signal)
  if (format.format !== 'parquet') {
    const opened = await openStreamed(job, { source, known: format, no, planned }, context, signal)
    keep(opened)
    return asOpen(opened)
  }
  const local = await createLocalFile({ file: source, path: `${path}.parquet` })
  try {
    const opened = await readFooter(job, { source, local, no }, context, signal)
    keep(opened)
    if (isWhole(source)) return asOpen(opened, local)
    await local.dispose()
    return asOpen(opened)
  } catch (error) {
    await local.dispose()
    throw error
  }
}

/** Rows that a file may have. */
export function maxRowsOf({ limits }: Figura, bounds: Bounds): number {
  return Math.min(limits?.maxRows ?? bounds.fileRows, bounds.fileRows)
}

async function openStreamed(
  job: ClaimedJob,
  { source, known, no, planned }: Pick<Opening, 'no' | 'planned'> & { source: SourceFile; known: Known },
  { config, duckdb }: Context,
  signal: AbortSignal,
): Promise<Opened> {
  const figura = job.definition
  const { fileExpandedBytes: maxBytes, avroSplitBytes } = config.bounds
  const splitBytes = planned ? null : avroSplitBytes
  const stream = await openStream(source, known, { figura, maxBytes, splitBytes }, signal)
  const { columns, rows, parts } = stream
  refuseColumns(source.name, columns.length, config.bounds)
  const shape: FileShape = { columns, rowGroups: [], rows: rows ?? UNKNOWN_ROWS, parts }
  const placed = { columns: shape.columns, parquet: false, no, files: filesOf(job).length }
  return { source, format: known.format, shape, stream, reading: await fitFile(duckdb, job, placed) }
}

/** Whether the file comes at once: a small one with the first request, and any where the server has no ranges. */
function isWhole({ tailStart, ranged }: SourceFile): boolean {
  return tailStart === 0 || !ranged
}

async function readFooter(
  job: ClaimedJob,
  { source, local, no }: { source: SourceFile; local: LocalFile; no: number },
  { config, duckdb }: Context,
  signal: AbortSignal,
): Promise<Opened> {
  const range = await fetchFooter(source, local, { footerBytes: config.bounds.footerBytes, signal })
  const { shape, places } = await asCorrupt(source, () =>
    readShape(duckdb, local.path, { name: source.name, bounds: config.bounds }),
  )
  const placed = { columns: shape.columns, parquet: true, no, files: filesOf(job).length }
  const reading = await fitFile(duckdb, job, placed)
  const footer = { start: range.start, bytes: await local.take(range, signal) }
  return { source, format: 'parquet', footer, shape, places, reading }
}

type Placed = {
  no: number
  path: string
  local?: LocalFile
  pieceBytes: number
  maxRows: number
  part: Part | undefined
}

function partOf({ rowStart, rowEnd, byteStart, byteEnd }: Chunk): Part | undefined {
  return byteStart === null || byteEnd === null ? undefined : { rowStart, rowEnd, byteStart, byteEnd }
}

function asOpenFile(opened: Opened, { no, path, local, pieceBytes, maxRows, part }: Placed): OpenFile {
  const { source, format, shape, reading } = opened
  const { columns } = reading
  let fetched = 0
  function pieces(wanted: Wanted, signal: AbortSignal): Pieces {
    if (local) return inOne(local, { wanted, signal })
    const set = fetched++
    if ('stream' in opened)
      return streamPieces(opened.stream, wanted, {
        path: (at) => `${path}-${set}-${at}.csv`,
        maxRows,
        part,
        signal,
      })
    const { places, footer } = opened
    const cut = cutPieces({ shape, places, fileBytes: source.bytes }, wanted, pieceBytes)
    const ahead = fetchAhead(
      { file: source, held: footer, pieces: cut.map(({ ranges }) => ranges) },
      { path: (piece) => `${path}-${set}-${piece}.parquet`, signal },
    )
    return inTurn(ahead, cut)
  }
  const facts = { no, format, source, shape, columns, reading }
  return { ...facts, pieces, [Symbol.asyncDispose]: async () => local?.dispose() }
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

function refuseSize(
  source: SourceFile,
  file: JobFile,
  { figura, bounds }: { figura: Figura; bounds: Bounds },
): void {
  const own = figura.limits?.maxBytes ?? Infinity
  const maxBytes = Math.min(own, bounds.fileBytes)
  if (source.bytes > maxBytes) {
    throw new BulkError('file_too_large', {
      subject: source.name,
      found: `${source.bytes} bytes`,
      expected: `at most ${maxBytes} (${own < bounds.fileBytes ? 'limits of the figura' : 'FILE_MAX_GB'})`,
    })
  }
  if (file.bytes === null || file.bytes === source.bytes) return
  throw new BulkError('source_changed', {
    subject: publicUrl(file.url),
    found: `a file of ${source.bytes} bytes`,
    expected: `the file of ${file.bytes} bytes that it was at first`,
  })
}
