import type { Config } from '../config.ts'
import type { JobEvent, Outcome, Task } from '../job.ts'

/**
 * What a thread is told. Small messages only: rows never leave the thread. `interrupt` ends the task that runs, with
 * an outcome; `stop` waits for it.
 */
export type ToThread =
  | { kind: 'start'; config: Config; thread: number }
  | { kind: 'run'; task: Task }
  | { kind: 'interrupt' }
  | { kind: 'stop' }

/**
 * What a thread says. One task runs at a time, so an outcome is always that of the last `run`. `fatal`: it cannot go
 * on, and so the process must be replaced.
 */
export type FromThread =
  | { kind: 'ready' }
  | { kind: 'event'; event: JobEvent }
  | { kind: 'outcome'; outcome: Outcome }
  | { kind: 'fatal'; message: string }
  | { kind: 'stopped' }
