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

/** Bytes of one row of a file that is read as a stream. */
export const RECORD_BYTES = 64 * 1024 * 1024
