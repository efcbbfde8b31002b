import { BulkError } from '../errors.ts'
import type { SourceFile } from '../source/source.ts'

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

/** The same error, with the file where it was met if the job has several. */
export function ofFile(
  error: unknown,
  { no, source }: { no: number; source: SourceFile },
  files: number,
): unknown {
  if (files === 1 || !(error instanceof BulkError) || error.retry !== 'never') return error
  const { subject } = error.said
  const named = subject.includes(source.name) ? subject : `${subject} (${source.name})`
  return new BulkError(
    error.code,
    { ...error.said, subject: named },
    { ...error.extra, file: no },
    { cause: error },
  )
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
    ?.replace(/"[^"]*\/[^"]*"|'[^']*\/[^']*'|\/\S+\.(parquet|csv)/g, 'the file')
  return new BulkError(
    'file_corrupt',
    { subject: source.name, found: `that it cannot be read (${said})`, expected: 'a whole one' },
    {},
    { cause: error },
  )
}
