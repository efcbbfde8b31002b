import type { Environment } from '../environment.ts'
import type { Log } from '../log.ts'

/**
 * Back-off between restarts, in milliseconds: doubled for each crash in a row, begun anew after a minute of health.
 */
const RESTART_MIN_MS = 500
const RESTART_MAX_MS = 30_000
const HEALTHY_MS = 60_000

export type Supervisor = {
  /** True while the worker process has its threads ready. */
  ready(): boolean
  /** Asks the worker process to drain, and ends it when it has not within the time. */
  stop(): Promise<void>
}

/**
 * Keeps a worker process alive beside this one, so that a crash of native code in it never takes the API down.
 * `env` sets the size of its native thread pool, which is read before any JavaScript runs. `killAfterMs`: what a stop
 * may take; the kill loses no rows, but a job that ran waits until its lease is over.
 */
export function superviseWorker(
  entry: string,
  { killAfterMs, env, log }: { killAfterMs: number; env: Environment; log: Log },
): Supervisor {
  let child: Bun.Subprocess | undefined
  let ready = false
  let stopping = false
  let backoffMs = RESTART_MIN_MS
  let restart: ReturnType<typeof setTimeout> | undefined

  const start = () => {
    const startedAt = performance.now()
    child = Bun.spawn([process.execPath, entry], {
      env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: (message) => {
        if (message === 'ready') ready = true
      },
      onExit: (_process, code, signal) => {
        ready = false
        if (stopping) return
        if (performance.now() - startedAt > HEALTHY_MS) backoffMs = RESTART_MIN_MS
        log.error('the worker process ended; it is started again', { code, signal, afterMs: backoffMs })
        restart = setTimeout(start, backoffMs)
        backoffMs = Math.min(backoffMs * 2, RESTART_MAX_MS)
      },
    })
  }

  start()
  return {
    ready: () => ready,
    stop: async () => {
      stopping = true
      clearTimeout(restart)
      if (!child || child.exitCode !== null) return
      child.kill('SIGTERM')
      const late = setTimeout(() => {
        log.warn('the worker process did not stop in time; it is killed', { afterMs: killAfterMs })
        child?.kill('SIGKILL')
      }, killAfterMs)
      await child.exited
      clearTimeout(late)
    },
  }
}
