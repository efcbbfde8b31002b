import { setTimeout as sleep } from 'node:timers/promises'
import { BulkError } from '../errors.ts'
import { type Answer, type Range, type Transport, truncated, unreachable } from './answer.ts'
import type { Patience } from './patience.ts'

/**
 * Sends one GET and waits for the head of the answer. An error of the network becomes a BulkError, an abort
 * stays what it is.
 */
export async function ask(
  transport: Transport,
  { range, ifMatch }: { range: Range | { last: number } | null; ifMatch: string | null },
  patience: Patience,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  signal?.throwIfAborted()
  const silence = new AbortController()
  const limitMs = patience.connectMs + patience.idleMs
  const timer = setTimeout(() => silence.abort(), limitMs)
  const either = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal
  try {
    return await transport.get({ range, ifMatch, signal: either })
  } catch (error) {
    signal?.throwIfAborted()
    // a mistake of ours or of a library is not the network's: it is told as what it is
    if (error instanceof BulkError || error instanceof TypeError) throw error
    const found = silence.signal.aborted ? `no answer within ${limitMs} ms` : networkFault(error)
    throw unreachable(transport, found, 'an answer')
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The bytes of an answer, which must be as many as expected. The server's silence and slowness are limited, the
 * reader's are not: what it does not take is not read from the socket. A reader that stops early closes the connection.
 */
export async function* bodyOf(
  transport: Transport,
  answer: Answer,
  expected: number,
  patience: Patience,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const pace = paceOf(transport, patience)
  const silence = unreachable(transport, `no byte within ${patience.idleMs} ms`, 'the rest of the file')
  const fallSilent = () => answer.cancel(silence)
  let timer = setTimeout(fallSilent, patience.idleMs)
  let got = 0
  try {
    for await (const bytes of answer.body) {
      clearTimeout(timer)
      got += bytes.length
      pace.came(bytes.length)
      if (got > expected)
        throw unreachable(transport, `more than ${expected} bytes`, 'as many as its headers say')
      yield bytes
      timer = setTimeout(fallSilent, patience.idleMs)
      pace.wait()
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof BulkError) throw error
    throw truncated(transport, got, expected)
  } finally {
    clearTimeout(timer)
  }
  if (got < expected) throw truncated(transport, got, expected)
}

/** Measures how fast the bytes come that are waited for; what the reader takes for itself does not count. */
function paceOf(transport: Transport, { idleMs, leastBytes }: Patience) {
  let since = performance.now()
  let waitedMs = 0
  let bytes = 0
  const wait = () => void (since = performance.now())
  function came(more: number): void {
    waitedMs += performance.now() - since
    bytes += more
    if (waitedMs < idleMs) return
    const least = Math.floor((leastBytes * waitedMs) / 1000)
    if (bytes < least)
      throw unreachable(transport, `${bytes} bytes in ${Math.round(waitedMs)} ms`, `${least} at the least`)
    waitedMs = bytes = 0
  }
  return { wait, came }
}

/** Counts the attempts at one file or range. */
type Attempts = {
  /**
   * Waits before the next attempt; throws the error when there is none, or when it is one that would only
   * come again.
   */
  again(error: unknown, at: number): Promise<void>
}

/**
 * As many attempts as `patience` has pauses, and as many again whenever a MiB more has come than at the last
 * break.
 */
export function countAttempts(patience: Patience, signal: AbortSignal | undefined, start: number): Attempts {
  let failures = 0
  let lastBreak = start
  return {
    again: async (error, at) => {
      if (!(error instanceof BulkError) || error.retry === 'never') throw error
      if (at - lastBreak >= PROGRESS_BYTES) failures = 0
      lastBreak = at
      const pauseMs = patience.retryMs[failures++]
      if (pauseMs === undefined) throw error
      await sleep(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
    },
  }
}

const PROGRESS_BYTES = 1024 * 1024

/**
 * The code of a network error (ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED …); its message may hold an address
 * with a query.
 */
function networkFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code) return code
  return error instanceof Error && error.message.startsWith('no connection within')
    ? error.message
    : 'a broken connection'
}
