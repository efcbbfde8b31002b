import type { BulkError } from '../errors.ts'
import {
  type Answer,
  changed,
  type Range,
  statusError,
  strongEtag,
  type Transport,
  unreachable,
  versionOf,
} from './answer.ts'
import type { Patience } from './patience.ts'
import { ask, bodyOf, countAttempts } from './request.ts'

/** A file as it was when it was opened. Every later answer has to be of that very file. */
export type Opened = { transport: Transport; bytes: number; etag: string | null; patience: Patience }

/** Reads a range, in order. When a connection breaks, a new one goes on from where it broke. */
export async function* readRange(
  file: Opened,
  range: Range,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { transport, patience } = file
  const attempts = countAttempts(patience, signal, range.start)
  let at = range.start
  while (at < range.end) {
    try {
      const wanted = { start: at, end: range.end }
      const answer = await ask(transport, { range: wanted, ifMatch: strongEtag(file.etag) }, patience, signal)
      const fault = rangeFault(file, answer, wanted)
      if (fault) throw dropped(answer, fault)
      const end = answer.contentRange?.end ?? range.end
      for await (const bytes of bodyOf(transport, answer, end - at, patience, signal)) {
        at += bytes.length
        yield bytes
      }
    } catch (error) {
      await attempts.again(error, at)
    }
  }
}

/** Reads the whole of a file that has no ranges. It begins anew only as long as nothing was handed out. */
export async function* readWhole(file: Opened, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const { transport, patience } = file
  const attempts = countAttempts(patience, signal, 0)
  let at = 0
  while (at < file.bytes) {
    try {
      const answer = await ask(transport, { range: null, ifMatch: strongEtag(file.etag) }, patience, signal)
      const fault = wholeFault(file, answer)
      if (fault) throw dropped(answer, fault)
      for await (const bytes of bodyOf(transport, answer, file.bytes, patience, signal)) {
        at += bytes.length
        yield bytes
      }
    } catch (error) {
      if (at > 0) throw error
      await attempts.again(error, at)
    }
  }
}

/** Lets an answer go that is not the one that was asked for. */
export function dropped(answer: Answer, error: BulkError): BulkError {
  answer.cancel()
  return error
}

/**
 * What keeps an answer from being these bytes of this file. It may end earlier: the rest is then asked for
 * again.
 */
function rangeFault(file: Opened, answer: Answer, wanted: Range): BulkError | null {
  if (answer.status !== 206 && answer.status !== 200) return statusError(file.transport, answer)
  const { contentRange, contentLength } = answer
  const expected = `bytes ${wanted.start} to ${wanted.end - 1}`
  if (answer.status === 200 || !contentRange)
    return unreachable(file.transport, 'an answer without a range', expected)
  const { start, end, bytes } = contentRange
  const length = contentLength ?? end - start
  return (
    otherFile(file, answer, bytes) ??
    (start !== wanted.start || end <= start || end > wanted.end || length !== end - start
      ? unreachable(file.transport, `bytes ${start} to ${end - 1} in ${length} bytes`, expected)
      : null)
  )
}

function wholeFault(file: Opened, answer: Answer): BulkError | null {
  if (answer.status !== 200) return statusError(file.transport, answer)
  return otherFile(file, answer, answer.contentLength ?? file.bytes)
}

function otherFile(file: Opened, answer: Answer, bytes: number): BulkError | null {
  if (bytes !== file.bytes) return changed(file.transport, `${bytes} bytes`, `the ${file.bytes} of before`)
  if (answer.etag === file.etag) return null
  return changed(file.transport, versionOf(answer.etag), `the ${file.etag ?? 'absence of one'} of before`)
}
