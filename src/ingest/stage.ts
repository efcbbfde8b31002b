import { commitWithoutWaiting } from '../db/locks.ts'
import type { Chunk, ClaimedJob } from '../db/claims.ts'
import { type Mark, markDone, type Marked, readMarks } from '../db/marks.ts'
import type { Transaction } from '../db/postgres.ts'
import { insertRejects } from '../db/rejects.ts'
import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import { checkDigest, checkKeys } from './check.ts'
import type { Context } from './context.ts'
import { copyInto } from './copy.ts'
import { createEncoder, type Encoder } from './encode.ts'
import { explainRefusal } from './explain.ts'
import type { OpenFile, Pieces } from './file.ts'
import { asCorrupt, fileError, ofFile } from './file-error.ts'
import { JobLost } from './lease.ts'
import type { Copied } from './merge-stats.ts'
import type { JobLog } from './report.ts'
import { rejectLimit, tooManyRejected } from './rejects.ts'
import { sourcesOf } from './rules.ts'
import { refuseRows } from './plan.ts'
import { UNKNOWN_ROWS } from './shape.ts'
import { copySql, stageName } from './sql-postgres.ts'
import { type Rows, takeRows } from './take.ts'

/**
 * Does chunks of a job's stage: the checks first, then the rows. The COPY and the marks are one transaction, so
 * that a chunk that is done twice at the same time counts once.
 * @returns whether the marks were the last ones missing, and which chunks may be rung for next
 * @throws BulkError when the data is at fault; JobLost when the stage is no longer the job's
 */
export async function stageChunks(
  { job, stage, chunks, file }: { job: ClaimedJob; stage: number; chunks: Chunk[]; file: OpenFile },
  context: Context,
  { report, signal }: { report: JobLog; signal: AbortSignal },
): Promise<Extract<Marked, { kind: 'marked' }>> {
  const columns = sourcesOf(file.columns)
  // the first piece is on its way while the checks run, and there before a transaction is held open for it
  await using pieces = file.pieces({ ...rowsOf(chunks), columns }, signal)
  for (const chunk of chunks)
    if (chunk.kind !== 'rows') await runCheck(chunk.kind, { job, file }, context, { report, signal })
  await pieces.ready()
  const marked = await context.sql.begin(async (tx) => {
    await commitWithoutWaiting(tx)
    const marks: Mark[] = []
    for (const chunk of chunks) {
      const table = stageName(job.id, stage)
      const copied =
        chunk.kind === 'rows'
          ? await copyRows(tx, { job, table, chunk, file, pieces }, context, { report, signal })
          : { read: 0, staged: 0, rejected: 0 }
      marks.push({ no: chunk.no, kind: chunk.kind, rows: copied.staged, ...copied })
    }
    const marked = await markDone(tx, { job: job.id, stage, chunks: marks }, { release: 1 })
    if (marked.kind === 'lost') throw new JobLost('the chunk was done already, or its stage was given up')
    // each stream was within the bound by itself; how many rows they have together is known here
    refuseRows({ rows: marked.read, files: job.urls?.length ?? 1 }, job.definition, context.config.bounds)
    const rows = job.rows ?? (marked.last ? (await readMarks(tx, job.id, stage)).read : null)
    if (marked.rejected > rejectLimit(job.definition, rows))
      throw tooManyRejected(job.definition, { rows, rejected: marked.rejected, rejects: [] })
    return marked
  })
  job.taken = undefined
  return marked
}

/** The rows to be staged: there is one chunk of them at the most, beside the checks. */
export function rowsOf(chunks: Chunk[]): { rowStart: number; rowEnd: number } {
  const [rows, other] = chunks.filter((chunk) => chunk.kind === 'rows')
  if (other) throw new Error('Chunks of rows are staged one at a time')
  return { rowStart: rows?.rowStart ?? 0, rowEnd: rows?.rowEnd ?? 0 }
}

/** Does a check of the whole file. */
export async function runCheck(
  kind: 'keys' | 'digest',
  { job, file }: { job: ClaimedJob; file: OpenFile },
  { duckdb }: Context,
  { report, signal }: { report: JobLog; signal: AbortSignal },
): Promise<void> {
  const started = performance.now()
  if (kind === 'digest') {
    await checkDigest(file.source, job.sha256 ?? '', signal)
    report.info('stage', 'the SHA-256 of the file is the announced one', { ms: since(started) })
    return
  }
  await asCorrupt(file.source, () => checkKeys({ duckdb, file, figura: job.definition, signal }))
  report.info('stage', 'every key is there once', { ms: since(started), rows: file.shape.rows })
}

/**
 * Copies the rows of a chunk into a table, given by its quoted name. Those that break a rule are left out, and kept as
 * rejects in the same transaction.
 * @throws BulkError when the data is at fault: `too_many_rejected` when more are left out than the figura allows
 */
export async function copyRows(
  tx: Transaction,
  {
    job,
    table,
    chunk,
    file,
    pieces,
    onRows,
  }: {
    job: ClaimedJob
    table: string
    chunk: Chunk
    file: OpenFile
    pieces: Pieces
    onRows?: (done: number) => void
  },
  { sql, duckdb, config }: Context,
  { report, signal }: { report: JobLog; signal: AbortSignal },
): Promise<Copied> {
  const { columns, reading } = file
  const { rowStart, rowEnd } = chunk
  const started = performance.now()
  const types = columns.map(({ column }) => ({ type: column.type, required: column.required }))
  const encoder = createEncoder(types)
  const copy = copySql(
    table,
    columns.map(({ column }) => column),
  )
  const taken = takeRows(duckdb, pieces, {
    reading,
    figura: job.definition,
    rows: rowsOfJob(job, file),
    onRows,
  })
  const place = { job: job.id, stage: job.stage ?? job.attempts, file: chunk.file, chunk: chunk.no }
  try {
    const frames = bounded(encoder.frames(taken.chunks()), chunk, config.bounds.chunkExpandedBytes)
    const bytes = await copyInto(tx, copy, frames, signal)
    refuseNulls(encoder, job.definition, file, chunk)
    const { read, rejected, rejects } = taken.found()
    if (rowEnd !== UNKNOWN_ROWS && read !== rowEnd - rowStart) throw wrongCount(read, chunk)
    await insertRejects(tx, place, rejects)
    const facts = { ms: since(started), rows: encoder.rows, bytes, firstRow: rowStart + 1 }
    report.info('stage', `chunk ${chunk.no} is staged`, { ...facts, ...(rejected ? { rejected } : {}) })
    return { read, staged: encoder.rows, rejected }
  } catch (error) {
    // what was left out is told with the error too; the transaction of the rows takes nothing along
    await insertRejects(sql, place, taken.found().rejects).catch(() => {})
    const explained = await explainRefusal(error, duckdb, { file, rowStart, rowEnd, signal })
    throw ofFile(fileError(file.source, explained), file, job.urls?.length ?? 1)
  } finally {
    const { read, rejected } = taken.found()
    job.taken = { read, rejected }
  }
}

/** How many rows the job has, as far as it is known: one file says it, or is read here as a whole. */
function rowsOfJob({ urls, rows }: ClaimedJob, { shape }: OpenFile): Rows {
  if ((urls?.length ?? 1) > 1) return rows
  return shape.rows === UNKNOWN_ROWS ? 'these' : shape.rows
}

/** The frames, as long as they are within the bound: a few bytes of parquet can stand for any number of bytes. */
async function* bounded(
  frames: AsyncIterable<Uint8Array>,
  chunk: Chunk,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const frame of frames) {
    bytes += frame.length
    if (bytes > maxBytes) {
      throw new BulkError('file_too_large', {
        subject: `Rows ${chunk.rowStart + 1} to ${chunk.rowEnd} of the file`,
        found: `more than ${maxBytes} bytes when they are unpacked`,
        expected: `at most that (CHUNK_EXPANDED_MAX_MB)`,
        action: 'Write the file with smaller row groups, or split it.',
      })
    }
    yield frame
  }
}

function refuseNulls(encoder: Encoder, figura: Figura, { columns }: OpenFile, chunk: Chunk): void {
  for (const [at, { column }] of columns.entries()) {
    const nulls = encoder.nulls[at]
    if (!nulls || nulls.count === 0) continue
    const firstRows = nulls.rows.map((row) => chunk.rowStart + row + 1)
    const first = `the first in row ${firstRows.join(', ')}`
    const facts = { column: column.name, count: nulls.count, first_rows: firstRows }
    if (figura.key.includes(column.name)) {
      const subject = `Key (${figura.key.join(', ')})`
      const found = `${nulls.count} row(s) where it is null, ${first}`
      throw new BulkError('key_null', { subject, found, expected: 'none' }, { ...facts, columns: figura.key })
    }
    throw new BulkError(
      'required_null',
      {
        subject: `Column ${column.name}`,
        found: `${nulls.count} null(s) in rows ${chunk.rowStart + 1} to ${lastRow(encoder, chunk)}, ${first}`,
        expected: 'a value in every row (required: true)',
      },
      facts,
    )
  }
}

function lastRow(encoder: Encoder, { rowStart, rowEnd }: Chunk): number {
  return rowEnd === UNKNOWN_ROWS ? rowStart + encoder.rows : rowEnd
}

function wrongCount(found: number, chunk: Chunk): BulkError {
  return new BulkError('file_corrupt', {
    subject: `Rows ${chunk.rowStart + 1} to ${chunk.rowEnd} of the file`,
    found: `${found} rows`,
    expected: `${chunk.rowEnd - chunk.rowStart}, as the footer says`,
  })
}

function since(started: number): number {
  return Math.round(performance.now() - started)
}
