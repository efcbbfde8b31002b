import { BulkError, type ErrorCode } from '../errors.ts'

/** Bytes of a file; `end` is exclusive. */
export type Range = { start: number; end: number }

/** One GET. `range`: those bytes, or the last so many, or (null) the whole file. */
export type Ask = { range: Range | { last: number } | null; ifMatch: string | null; signal: AbortSignal }

/**
 * What a server answered, before a byte of the body is read. Every answer is read to its end or cancelled.
 */
export type Answer = {
  status: number
  /** A server's word for what is wrong, such as S3's AccessDenied. */
  reason: string
  /** The ETag; of a server that has none the time of the last change, as text. Null: neither. */
  etag: string | null
  contentLength: number | null
  /** Of a 206: which bytes these are, and the length of the file. */
  contentRange: (Range & { bytes: number }) | null
  /** Of a 416: the length of the file. */
  unsatisfiedBytes: number | null
  body: AsyncIterable<Uint8Array>
  /** Lets the socket go. A read that is waiting for the body fails with the error. */
  cancel(error?: Error): void
}

/** What fetches: one for S3, one for the web. `name` is the address as it may be shown. */
export type Transport = { name: string; get(ask: Ask): Promise<Answer> }

/** The value of a Range header. */
export function rangeHeader(range: Range | { last: number }): string {
  return 'last' in range ? `bytes=-${range.last}` : `bytes=${range.start}-${range.end - 1}`
}

/** Reads the headers that say which bytes an answer has; what is not well-formed counts as not said. */
export function readHeaders(headers: Record<string, unknown>) {
  const text = (name: string): string => (typeof headers[name] === 'string' ? headers[name] : '')
  const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(text('content-range').trim())
  const unsatisfied = /^bytes \*\/(\d{1,15})$/.exec(text('content-range').trim())
  const length = /^\d{1,15}$/.exec(text('content-length').trim())
  return {
    etag: text('etag') || (text('last-modified') && `Last-Modified: ${text('last-modified')}`) || null,
    contentLength: length ? Number(length[0]) : null,
    contentRange: range
      ? { start: Number(range[1]), end: Number(range[2]) + 1, bytes: Number(range[3]) }
      : null,
    unsatisfiedBytes: unsatisfied ? Number(unsatisfied[1]) : null,
  }
}

/** An ETag that promises equal bytes; a weak one (W/"…") promises only something alike. */
export function strongEtag(etag: string | null): string | null {
  return etag?.startsWith('"') ? etag : null
}

/** What tells the version of a file, for a sentence. */
export function versionOf(etag: string | null): string {
  return etag?.startsWith('Last-Modified') ? etag : `the ETag ${etag ?? '(none)'}`
}

/** The error that a status is, for statuses that are no answer to a GET of a file. */
export function statusError({ name }: Transport, { status, reason }: Answer): BulkError {
  const found = `HTTP ${status}${/^[A-Za-z]{1,60}$/.test(reason) ? ` ${reason}` : ''}`
  if (status >= 300 && status < 400) {
    return new BulkError('source_refused', {
      subject: name,
      found: `${found}, a redirect`,
      expected: 'the file itself',
      action: 'Redirects are not followed: send the address where the file is.',
    })
  }
  const expected = status === 412 ? 'the file with the ETag that was asked for' : 'the file'
  return new BulkError(codeOf(status, reason), { subject: name, found, expected })
}

/** The file is not the one that was opened, or planned. */
export function changed({ name }: Transport, found: string, expected: string): BulkError {
  return new BulkError('source_changed', { subject: name, found, expected })
}

/** Fewer bytes came than the headers promised; counted in bytes. */
export function truncated({ name }: Transport, found: number, expected: number): BulkError {
  return new BulkError('source_truncated', {
    subject: name,
    found: `an end after ${found} bytes`,
    expected: `${expected} bytes`,
  })
}

/** No answer, or none that makes sense: the next one may. */
export function unreachable({ name }: Transport, found: string, expected: string): BulkError {
  return new BulkError('source_unreachable', { subject: name, found, expected })
}

function codeOf(status: number, reason: string): ErrorCode {
  if (status === 412 || status === 416) return 'source_changed'
  if (status === 404 || status === 410) return 'source_missing'
  // the clocks differ by more than 15 minutes; the SDK noted that, and signs the next request accordingly
  if (reason === 'RequestTimeTooSkewed') return 'source_unreachable'
  if (status >= 500 || status === 408 || status === 425 || status === 429) return 'source_unreachable'
  return 'source_denied'
}
