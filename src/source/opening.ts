import { BulkError } from '../errors.ts'
import { type Answer, changed, statusError, strongEtag, type Transport, versionOf } from './answer.ts'
import type { Patience } from './patience.ts'
import { dropped, type Opened } from './reading.ts'
import { ask, bodyOf, countAttempts } from './request.ts'

type Opening = {
  transport: Transport
  tailBytes: number
  /** The ETag that the file has to have; null: any. */
  expectedEtag: string | null
  patience: Patience
  signal: AbortSignal | undefined
}

/**
 * What the first answer tells of a file: its length and ETag, its last bytes, and whether it can be read in
 * ranges.
 */
type FirstLook = Opened & { tail: Uint8Array; ranged: boolean }

/** Opens a file, by one request where the server knows ranges. */
export async function openFile(opening: Opening): Promise<FirstLook> {
  const attempts = countAttempts(opening.patience, opening.signal, 0)
  for (;;) {
    try {
      return await openOnce(opening)
    } catch (error) {
      await attempts.again(error, 0)
    }
  }
}

async function openOnce(opening: Opening): Promise<FirstLook> {
  const { transport, tailBytes, patience, signal } = opening
  const ifMatch = strongEtag(opening.expectedEtag)
  const first = await ask(transport, { range: { last: tailBytes }, ifMatch }, patience, signal)
  if (isTail(first, tailBytes)) return takeTail(opening, first)
  if (first.status !== 206 && first.status !== 416) return takeWhole(opening, first)

  // 416: an empty file, or a server that has no "last 1,000 bytes" of a file of 10 (fauxqs 2.4.1 as published).
  // 206: a server that takes "the last 1,000 bytes" for the first 1,000, or for all. Both tell the length.
  first.cancel()
  const bytes = first.contentRange?.bytes ?? first.unsatisfiedBytes
  if (bytes === 0) {
    if (first.etag) checkEtag(opening, first)
    return look(opening, first, 0, new Uint8Array(), true)
  }
  const range = bytes === null ? null : { start: Math.max(0, bytes - tailBytes), end: bytes }
  const second = await ask(transport, { range, ifMatch }, patience, signal)
  return isTail(second, tailBytes) ? takeTail(opening, second) : takeWhole(opening, second)
}

/** Whether an answer is the end of the file, and no more of it than was asked for. */
function isTail({ status, contentRange, contentLength }: Answer, tailBytes: number): boolean {
  if (status !== 206 || !contentRange) return false
  const { start, end, bytes } = contentRange
  return (
    end === bytes && start < end && end - start <= tailBytes && (contentLength ?? end - start) === end - start
  )
}

async function takeTail(opening: Opening, answer: Answer): Promise<FirstLook> {
  const { start, bytes } = answer.contentRange ?? { start: 0, bytes: 0 }
  checkEtag(opening, answer)
  return look(opening, answer, bytes, await collect(opening, answer, bytes - start), true)
}

/**
 * An answer without ranges. Of a file that is not small, only the length is taken: nothing that big goes into
 * memory.
 */
async function takeWhole(opening: Opening, answer: Answer): Promise<FirstLook> {
  const { transport, tailBytes } = opening
  const bytes = answer.contentLength
  if (answer.status !== 200) throw dropped(answer, statusError(transport, answer))
  checkEtag(opening, answer)
  if (bytes === null) throw dropped(answer, lengthUnknown(transport))
  if (bytes <= tailBytes) return look(opening, answer, bytes, await collect(opening, answer, bytes), false)
  answer.cancel()
  return look(opening, answer, bytes, new Uint8Array(), false)
}

function checkEtag({ transport, expectedEtag }: Opening, answer: Answer): void {
  if (expectedEtag === null || answer.etag === expectedEtag) return
  throw dropped(answer, changed(transport, versionOf(answer.etag), expectedEtag))
}

async function collect(
  { transport, patience, signal }: Opening,
  answer: Answer,
  bytes: number,
): Promise<Uint8Array> {
  const all = new Uint8Array(bytes)
  let at = 0
  for await (const part of bodyOf(transport, answer, bytes, patience, signal)) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function look(opening: Opening, answer: Answer, bytes: number, tail: Uint8Array, ranged: boolean): FirstLook {
  return { transport: opening.transport, patience: opening.patience, bytes, etag: answer.etag, tail, ranged }
}

/** A body that simply ends where the connection ends cannot be told from one that was cut off. */
function lengthUnknown({ name }: Transport): BulkError {
  return new BulkError('source_refused', {
    subject: name,
    found: 'an answer without a length',
    expected: 'a Content-Length',
    action: 'Serve the file by a server that states its length.',
  })
}
