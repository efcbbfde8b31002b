/**
 * The steps of a worker's stop after the drain, and what each may take, in milliseconds. With a drain of 25 s they
 * end within 37 s: the time that an orchestrator grants has to be longer.
 */
export const STOP_MS = {
  /** Work that is interrupted rolls back, gives its lease back and says so. */
  interrupt: 3000,
  /** The threads close: DuckDB at once, the connections to PostgreSQL within their 5 s. */
  threads: 6000,
  /** The process's own connections close, those to NATS and to PostgreSQL at the same time. */
  links: 2000,
  /** What the steps need beyond what they wait for: imports, logs, the end of the process. */
  spare: 1000,
} as const

/** When a worker that was asked to stop is killed, in milliseconds: after all steps of its stop. */
export function killAfterMs(drainMs: number): number {
  return Object.values(STOP_MS).reduce((sum, ms) => sum + ms, drainMs)
}

/** Waits for something, and no longer than so many milliseconds; true when it came in time. */
export async function within(timeoutMs: number, something: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), timeoutMs)
  try {
    return await Promise.race([something.then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
