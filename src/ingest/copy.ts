import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'

/** What of a transaction of postgres.js is needed. */
type Transaction = { unsafe(sql: string): { writable(): Promise<Writable> } }

/**
 * Feeds a `COPY … FROM STDIN` with frames, at PostgreSQL's pace. A frame is asked for while the one before it
 * is on its way, but only one ever is: postgres.js copies a frame at once when nothing waits before it, so
 * that the frame's buffer may be filled again while the socket is busy.
 * Returns the bytes written. An error of the server, the link, the frames or the signal rejects, whenever it
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
      bytes += frame.length
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
