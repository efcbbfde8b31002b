import { join } from 'node:path'
import type { Duckdb } from '../db/duckdb.ts'
import type { ClaimedJob } from '../db/claims.ts'
import { BulkError } from '../errors.ts'
import { publicUrl } from '../job.ts'
import { checkSource } from '../source/check.ts'
import { fetchFooter } from '../source/footer.ts'
import { createLocalFile, type LocalFile } from '../source/ranged.ts'
import { openSource, type SourceFile } from '../source/source.ts'
import type { Context } from './context.ts'
import type { FittedColumn } from './fit.ts'
import { chunkRanges, fitOrRefuse, readShape, type FileShape } from './plan.ts'

/**
 * A job's file, open: its footer is read, and a sparse local copy stands where DuckDB can read it. Disposing of it
 * deletes the copy.
 */
export type OpenFile = AsyncDisposable & {
  source: SourceFile
  path: string
  shape: FileShape
  columns: FittedColumn[]
  /** Sees to it that the bytes of some columns of some rows stand in the local copy. `columns`: names in the file. */
  fetch(rows: { rowStart: number; rowEnd: number; columns: string[] }, signal: AbortSignal): Promise<void>
}

/**
 * Opens the file of a job by its footer alone. When the job was planned before, it must still be the same file.
 * @param name of the local copy, one for each piece of work
 * @throws BulkError of the source, `file_too_large`, `file_not_parquet`, `file_corrupt`, `schema_differs`
 */
export async function openFile(
  job: ClaimedJob,
  { name }: { name: string },
  { config, duckdb }: Context,
  signal: AbortSignal,
): Promise<OpenFile> {
  const { bounds, s3, allowLoopback } = config
  // asked again here, where the file is fetched: what stands in the row is not trusted to have been checked
  checkSource(job.url, job.definition.sources, allowLoopback)
  const options = { s3, allowLoopback, tailBytes: bounds.tailBytes, expectedEtag: job.etag, signal }
  const source = await openSource(job.url, options)
  refuseSize(source, job, bounds.fileBytes)
  const path = join(config.workDir, `${name}.parquet`)
  const local = await createLocalFile({ file: source, path })
  try {
    await fetchFooter(source, local, { footerBytes: bounds.footerBytes, signal })
    const shape = await asCorrupt(source, () => readShape(duckdb, path))
    const columns = fitOrRefuse(job.definition, shape.columns)
    return {
      source,
      path,
      shape,
      columns,
      fetch: fetcher({ duckdb, local, shape }),
      [Symbol.asyncDispose]: local.dispose,
    }
  } catch (error) {
    await local.dispose()
    throw error
  }
}

function fetcher({
  duckdb,
  local,
  shape,
}: {
  duckdb: Duckdb
  local: LocalFile
  shape: FileShape
}): OpenFile['fetch'] {
  return async (rows, signal) => {
    const ranges = await chunkRanges(duckdb, local.path, { shape, ...rows })
    const inFile = ranges.map(({ start, end }) => ({ start, end: Math.min(end, local.bytes) }))
    await local.fill(
      inFile.filter(({ start, end }) => start >= 0 && start < end),
      signal,
    )
  }
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
