import { invalid } from './invalid.ts'

/** The cursor of the page after a job: its id, in the 22 characters that 16 bytes need. */
export function cursorOf(job: string): string {
  return Buffer.from(job.replaceAll('-', ''), 'hex').toString('base64url')
}

/**
 * The id of the job that a cursor stands for.
 * @throws BulkError query_invalid
 */
export function jobBefore(cursor: string): string {
  const hex = Buffer.from(cursor, 'base64url').toString('hex')
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  // the last of the 22 characters has 4 bits to spare: only the spelling that we give is ours
  if (cursorOf(id) === cursor) return id
  const expected = 'the `next` of an earlier page, as it was answered'
  throw invalid('query_invalid', [{ field: 'cursor', found: JSON.stringify(cursor), expected }])
}
