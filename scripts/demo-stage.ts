import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interruption } from './child.ts'
import { serviceLog } from './service.ts'
import { step } from './steps.ts'

/** What a demo plays on: it puts things up, and everything is taken down again however the play ends. */
export type Stage = {
  /** A temporary folder, removed at the end. */
  dir: string
  /** Starts something as a step of its own; it is stopped at the end, even if it is still starting then. */
  start<T extends { stop(): Promise<void> }>(label: string, start: () => Promise<T>): Promise<T>
  /** What is done at the end; the newest goes first. */
  undo(action: () => Promise<void>): void
  /** Prints, unless the demo has been interrupted meanwhile. */
  say(text: string): void
}

/**
 * Runs the play and sets the exit code: 0 when it came to its end, 1 with the reason and the end of the
 * service's log when it failed, 130 after Ctrl-C.
 */
export async function runDemo(play: (stage: Stage) => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  const dir = mkdtempSync(join(tmpdir(), 'bulk-demo-'))
  const undos: (() => Promise<void>)[] = []
  const abort = new AbortController()
  const { signal } = abort
  const stage: Stage = {
    dir,
    start: (label, start) =>
      step(label, () => {
        signal.throwIfAborted()
        const starting = start()
        undos.push(() =>
          starting.then(
            (one) => one.stop(),
            () => {},
          ),
        )
        return starting
      }),
    undo: (action) => void undos.push(action),
    say: (text) => {
      signal.throwIfAborted()
      console.log(text)
    },
  }
  const interrupted = interruption().then((name) => {
    abort.abort(new Error(`stopped by ${name}`))
    signal.throwIfAborted()
  })
  try {
    await Promise.race([play(stage), interrupted])
  } catch (error) {
    blame(error)
    if (signal.aborted) process.exitCode = 130
    if (!signal.aborted) showEnd(serviceLog(dir))
  }
  await step('All stopped and removed', async () => {
    for (const undo of undos.reverse()) await undo().catch(blame)
    rmSync(dir, { recursive: true, force: true })
  })
  if (process.exitCode) return
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`\nAll as expected, in ${seconds} s. ./scripts/dev starts the same and stays up.`)
}

function blame(error: unknown): void {
  process.exitCode = 1
  console.error(`\ndemo: ${error instanceof Error ? error.message : error}`)
  if (error instanceof AggregateError) for (const one of error.errors) console.error(`  ${one}`)
}

function showEnd(logFile: string): void {
  if (!existsSync(logFile)) return
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
  console.error(`\nThe last lines of the service's log:\n${lines.slice(-10).join('\n')}\n`)
}
