import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interruption } from '../child.ts'

/** What a run of the benchmark stands on: a folder of its own, and all that has to be undone at its end. */
export type Session = {
  /** Removed at the end. */
  dir: string
  /** What is done at the end; the newest goes first. */
  undo(action: () => Promise<void>): void
  /** Tells on stderr how the run goes. @throws Error once the run was stopped, so that nothing new is begun */
  say(text: string): void
}

/**
 * Plays, then takes everything down again, however it ended.
 * @returns the exit code: what the play says, 1 after an error, 130 after Ctrl-C
 */
export async function runSession(play: (session: Session) => Promise<number>): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'bulk-bench-'))
  const startedAt = performance.now()
  const undos: (() => Promise<void>)[] = []
  let stopped = false
  const say = (text: string) => {
    if (stopped) throw new Error('the run was stopped')
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    console.error(`${seconds.padStart(5)} s  ${text}`)
  }
  const interrupted = interruption().then((name) => {
    stopped = true
    console.error(`bench: stopped by ${name}`)
    return 130
  })
  const played = play({ dir, undo: (action) => void undos.push(action), say }).catch((error: unknown) => {
    if (!stopped) blame(error)
    return 1
  })
  const code = await Promise.race([played, interrupted])
  for (const undo of undos.reverse()) await undo().catch(blame)
  rmSync(dir, { recursive: true, force: true })
  return code
}

function blame(error: unknown): void {
  console.error(`bench: ${error instanceof Error ? error.message : error}`)
}
