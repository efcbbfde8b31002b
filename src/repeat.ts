import { errorFields, type Log } from './log.ts'

/**
 * Does something again and again, one run at a time. One that fails is told of, in the words `what`, and done again at
 * its next time.
 */
export function repeat(
  run: () => Promise<unknown>,
  { everyMs, what, log }: { everyMs: number; what: string; log: Log },
): { stop(): Promise<void> } {
  let running: Promise<unknown> | undefined
  let stopped = false
  const timer = setInterval(() => {
    running ??= run()
      .catch((error: unknown) => {
        if (!stopped) log.warn(`cannot ${what}; trying again`, errorFields(error))
      })
      .finally(() => (running = undefined))
  }, everyMs)
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}
