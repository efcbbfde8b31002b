import type { Config } from '../config.ts'
import type { JobEvent, Outcome, Task } from '../job.ts'
import type { Log } from '../log.ts'
import type { FromThread, ToThread } from './protocol.ts'
import { STOP_MS, within } from './stop.ts'

type Thread = {
  worker: Worker
  /** Ends the promise of the task that runs; without a task it does nothing. */
  settle: (outcome: Outcome) => void
  stopped: PromiseWithResolvers<void>
}

type Pool = {
  /** Runs a task on an idle thread. More tasks than threads is a mistake of the caller. */
  run(task: Task): Promise<Outcome>
  /** Ends what runs now: each task has its outcome soon after, and its lease is given back. */
  interrupt(): void
  /** Waits for what runs, and closes the threads. One that takes too long is left to the end of the process. */
  stop(): Promise<void>
}

/**
 * Starts the threads and waits until each has its DuckDB and its connections. One thread runs one task at a time.
 * A thread is never terminated: ending one while DuckDB is at work aborts the process. So a thread that says `fatal`,
 * or closes unasked, is reported to `onFatal`, and the whole process is to be replaced.
 */
export async function startPool(
  config: Config,
  { log, onEvent, onFatal }: { log: Log; onEvent: (event: JobEvent) => void; onFatal: (why: string) => void },
): Promise<Pool> {
  const idle: Thread[] = []
  let stopping = false

  const threads = await Promise.all(
    Array.from({ length: config.threads }, (_, number) => startThread(number)),
  )
  idle.push(...threads)
  log.info('worker threads are ready', { threads: threads.length })

  function startThread(number: number): Promise<Thread> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./thread.ts', import.meta.url).href)
      const thread: Thread = { worker, settle: () => {}, stopped: Promise.withResolvers() }
      const tell = (message: FromThread) => {
        switch (message.kind) {
          case 'ready':
            return resolve(thread)
          case 'event':
            return onEvent(message.event)
          case 'outcome':
            idle.push(thread)
            return thread.settle(message.outcome)
          case 'stopped':
            return thread.stopped.resolve()
          case 'fatal':
            reject(new Error(message.message))
            return onFatal(message.message)
        }
      }
      worker.onmessage = (event: MessageEvent<FromThread>) => tell(event.data)
      worker.onerror = (event) => tell({ kind: 'fatal', message: event.message })
      worker.addEventListener('close', () => {
        if (!stopping) tell({ kind: 'fatal', message: `thread ${number} closed unasked` })
        thread.stopped.resolve()
      })
      send(worker, { kind: 'start', config, thread: number })
    })
  }

  return {
    run: (task) => {
      const thread = idle.shift()
      if (!thread) throw new Error('all threads are busy: more tasks were pulled than there are threads')
      const { promise, resolve } = Promise.withResolvers<Outcome>()
      thread.settle = resolve
      send(thread.worker, { kind: 'run', task })
      return promise
    },
    interrupt: () => {
      for (const thread of threads) send(thread.worker, { kind: 'interrupt' })
    },
    stop: async () => {
      stopping = true
      for (const thread of threads) send(thread.worker, { kind: 'stop' })
      const all = Promise.all(threads.map((thread) => thread.stopped.promise))
      if (!(await within(STOP_MS.threads, all))) log.warn('a worker thread did not close in time')
    },
  }
}

function send(worker: Worker, message: ToThread): void {
  worker.postMessage(message)
}
