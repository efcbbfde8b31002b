// The entry of a worker thread. The order matters:
// 1. the handlers: an uncaught throw in a thread while DuckDB is at work takes the whole process with it (SIGABRT);
// 2. onmessage, before anything is awaited: a message that arrives without a handler is dropped;
// 3. the heavy modules, imported when the start message comes.
import type { FromThread, ToThread } from './protocol.ts'
import type { Ingest } from '../ingest/ingest.ts'

declare const self: Worker

process.on('uncaughtException', (error) => post({ kind: 'fatal', message: String(error?.stack ?? error) }))
process.on('unhandledRejection', (error) => post({ kind: 'fatal', message: String(error) }))

let ingest: Ingest | undefined
let running: Promise<void> = Promise.resolve()

self.onmessage = (event: MessageEvent<ToThread>) => {
  const message = event.data
  switch (message.kind) {
    case 'start':
      return void start(message).catch((error) =>
        post({ kind: 'fatal', message: String(error?.stack ?? error) }),
      )
    case 'run':
      return run(message)
    case 'interrupt':
      return ingest?.interrupt()
    case 'stop':
      return void stop()
  }
}

async function start({ config, thread }: Extract<ToThread, { kind: 'start' }>): Promise<void> {
  const { openIngest } = await import('../ingest/ingest.ts')
  ingest = await openIngest(config, thread, (event) => post({ kind: 'event', event }))
  post({ kind: 'ready' })
}

function run({ task }: Extract<ToThread, { kind: 'run' }>): void {
  if (!ingest) throw new Error('a task came before the thread was ready')
  running = ingest.run(task).then((outcome) => post({ kind: 'outcome', outcome }))
}

async function stop(): Promise<void> {
  await running
  await ingest?.close()
  post({ kind: 'stopped' })
}

function post(message: FromThread): void {
  self.postMessage(message)
}
