import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { MESSAGE_HEADER_BYTES } from './message.ts'

/** What of a transaction of postgres.js is needed. */
type Transaction = { unsafe(sql: string): { writable(): Promise<Writable> } }

/**
 * Feeds a `COPY … FROM STDIN` with frames, at PostgreSQL's pace. Each frame is a message of asMessage(), which
 * goes to the socket as it is, and is not copied on the way. A frame is asked for while the one before it is
 * still with the socket, but only one ever is: two buffers by turns are enough for who makes the frames.
 * Returns the bytes of the stream. An error of the server, the link, the frames or the signal rejects, whenever it
 * comes; the transaction must then be rolled back, which throwing on does. The signal does not interrupt who
 * makes the frames.
 */
export async function copyInto(
  tx: Transaction,
  copySql: string,
  frames: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  signal?.throwIfAborted()
  const writable = await tx.unsafe(copySql).writable()
  // what our patch of postgres.js looks at: the frames have their headers already
  Object.assign(writable, { framed: true })
  const done = finished(writable)
  done.catch(() => {}) // it may fail before anybody waits for it
  const abort = () => writable.destroy(asError(signal?.reason))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    signal?.throwIfAborted()
    let bytes = 0
    let sent: Promise<void> = Promise.resolve()
    for await (const frame of frames) {
      await Promise.race([sent, done])
      sent = write(writable, frame)
      bytes += frame.length - MESSAGE_HEADER_BYTES
      // While the socket takes all at once nothing else lets the event loop turn, and an error would not be
      // seen: 30 s for frames that PostgreSQL had refused in the first.
      await setImmediate()
    }
    await Promise.race([sent, done])
    writable.end()
    await done
    return bytes
  } catch (error) {
    // what broke the stream, rather than that it is broken
    const cause = writable.errored ?? asError(error)
    // tells the server that the COPY is off; it would wait for rows for ever
    writable.destroy(cause)
    throw cause
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** Resolves when the socket has taken the frame, which is what holds the sender to PostgreSQL's pace. */
function write(writable: Writable, frame: Uint8Array): Promise<void> {
  const sent = new Promise<void>((resolve, reject) => {
    writable.write(frame, (error) => (error ? reject(error) : resolve()))
  })
  sent.catch(() => {})
  return sent
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
