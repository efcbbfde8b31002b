import type { Bounds } from '../config.ts'

/** How long a source is waited for: 30 s at the most without a byte. Passed in, so that tests need not wait as long. */
export type Patience = {
  /**
   * Till a connection stands, TLS included. A live host needs one to three round trips, a lost SYN is sent
   * again after 1 s, 3 s and 7 s.
   */
  connectMs: number
  /**
   * Without a byte, in the body or before the answer. S3 answers within a second; a web server may first
   * fetch from a cold store.
   */
  idleMs: number
  /**
   * Bytes in a second, at the least, over each `idleMs` of waiting for the body. A server that drips a byte now and
   * then is never silent, and would hold a thread for ever.
   */
  leastBytes: number
  /**
   * Pauses before a range is asked for again. What lasts longer is for the job's own attempts, which hold no
   * thread meanwhile.
   */
  retryMs: readonly number[]
}

export const PATIENCE: Patience = {
  connectMs: 10_000,
  idleMs: 20_000,
  leastBytes: 4096,
  retryMs: [200, 1000],
}

/** The patience that the administrator has set. */
export function patienceOf({
  sourceIdleMs,
  sourceLeastBytes,
}: Pick<Bounds, 'sourceIdleMs' | 'sourceLeastBytes'>) {
  return { ...PATIENCE, idleMs: sourceIdleMs, leastBytes: sourceLeastBytes }
}
