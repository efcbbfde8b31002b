import type { Config } from '../config.ts'
import type { JobEvent, Outcome, Task } from '../job.ts'

/** What a thread is told. Small messages only: rows never leave the thread. */
export type ToThread =
  | { kind: 'start'; config: Config; thread: number }
  | { kind: 'run'; id: number; task: Task }
  | { kind: 'stop' }

/** What a thread says. `fatal`: it cannot go on, and so the process must be replaced. */
export type FromThread =
  | { kind: 'ready' }
  | { kind: 'event'; event: JobEvent }
  | { kind: 'outcome'; id: number; outcome: Outcome }
  | { kind: 'fatal'; message: string }
  | { kind: 'stopped' }
