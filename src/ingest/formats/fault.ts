import { BulkError } from '../../errors.ts'

/** A row of a file, from 1, that cannot be read. */
export function badRow(row: number, found: string, expected: string, action?: string): BulkError {
  return new BulkError(
    'file_corrupt',
    { subject: `Row ${row} of the file`, found, expected, action },
    { row },
  )
}

/** A first line that cannot be read. */
export function badHeader(found: string, expected: string): BulkError {
  return new BulkError('file_corrupt', { subject: 'The first line of the file', found, expected })
}

/** A record larger than what is read at once; mostly a quote that is never closed. */
export function largeRow(row: number): BulkError {
  return new BulkError(
    'file_too_large',
    {
      subject: `Row ${row} of the file`,
      found: `more than ${RECORD_BYTES} bytes`,
      expected: 'at most that in one row',
      action: 'Look for a quote that is never closed, or leave out what makes the row so long.',
    },
    { row },
  )
}

/** A record of more values than are made of one at once. */
export function manyValues(row: number): BulkError {
  return new BulkError(
    'file_too_large',
    {
      subject: `Row ${row} of the file`,
      found: `more than ${RECORD_VALUES} values within lists and objects`,
      expected: 'at most that in one row',
      action: 'Write what is listed in a row as rows of their own.',
    },
    { row },
  )
}

/** Bytes of one row of a file that is read as a stream. */
export const RECORD_BYTES = 64 * 1024 * 1024

/** Values of one: 22 million empty objects, 64 MB of text, took 1.8 GB when they were parsed. */
export const RECORD_VALUES = 4_000_000
