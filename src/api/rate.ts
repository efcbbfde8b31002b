/** How often something may be done: `perSecond` in the long run, and up to `burst` at once after a rest. */
export type Rate = { perSecond: number; burst: number }

/**
 * What became of the wish to do it once more. `left`: how often it may be done again at once, of `limit`;
 * `fullSeconds`: until it is `limit` again; `waitSeconds`: until it is once.
 */
export type Taken = { ok: boolean; limit: number; left: number; fullSeconds: number; waitSeconds: number }

/** A token bucket. Its time is that of a monotonic clock, in milliseconds. */
export type TokenBucket = (nowMs?: number) => Taken

/** Makes a bucket, which is full. */
export function openBucket({ perSecond, burst }: Rate): TokenBucket {
  let tokens = burst
  let since = -Infinity
  return (nowMs = performance.now()) => {
    tokens = Math.min(burst, tokens + (Math.max(0, nowMs - since) / 1000) * perSecond)
    since = nowMs
    const ok = tokens >= 1
    if (ok) tokens -= 1
    return {
      ok,
      limit: burst,
      left: Math.floor(tokens),
      fullSeconds: Math.ceil((burst - tokens) / perSecond),
      waitSeconds: Math.max(1, Math.ceil((1 - tokens) / perSecond)),
    }
  }
}
