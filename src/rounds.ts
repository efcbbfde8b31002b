import { errorFields, type Log } from './log.ts'

/** Work that is done again and again, one round at a time. */
export type Rounds = { stop(): Promise<void> }

/**
 * Does rounds of work until it is stopped. One that fails is told of as `failed`, and the next one comes all the same.
 * @param work told whether it may go on, so that a stop need not wait for a long round
 */
export function startRounds(
  { everyMs, failed, log }: { everyMs: number; failed: string; log: Log },
  work: (goesOn: () => boolean) => Promise<void>,
): Rounds {
  let running: Promise<void> | undefined
  let stopped = false
  const round = async () => {
    try {
      await work(() => !stopped)
    } catch (error) {
      if (!stopped) log.warn(`${failed}; it is tried again`, errorFields(error))
    }
    running = undefined
  }
  const timer = setInterval(() => {
    running ??= round()
  }, everyMs)
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}
