import type { Environment } from '../environment.ts'
import { BulkError, type ErrorCode, type Said } from '../errors.ts'
import type { Figura, Mode } from '../figura/types.ts'
import type { Log } from '../log.ts'

/** The files of a request, as they are looked at. */
type Sent = { figura: Figura; urls: string[]; sha256: string | null; etag: string | null; mode: Mode | null }

export type Look = { kind: 'look'; id: number; sent: Sent }

/** What the process that looks is told. `cancel`: nobody waits for the answer any more. */
export type ToLooker = Look | { kind: 'cancel'; id: number }

/** What it says. Each look is answered once, a cancelled one too. */
export type FromLooker =
  | { kind: 'ready' }
  | {
      kind: 'answer'
      id: number
      refusal: { code: ErrorCode; said: Said; extra: Record<string, unknown> } | null
    }

export type Looker = {
  /**
   * Looks at the files of a request. Resolves too when there is no answer in time, or nobody who could give one.
   * @throws BulkError what is against one of the files
   */
  look(sent: Sent): Promise<void>
  /** True while the process can be asked. */
  ready(): boolean
  stop(): Promise<void>
}

/** Back-off between restarts, in milliseconds: doubled for each end in a row, begun anew after a minute of health. */
const RESTART_MS = { min: 500, max: 30_000, healthy: 60_000 }

/** A look that was cancelled is answered in so many milliseconds, or the process hangs. */
const CANCEL_MS = 2000

type Waiting = { settle: (refusal: BulkError | null) => void; timer: ReturnType<typeof setTimeout> }

/**
 * Keeps a process alive beside this one that looks at files: what comes from strangers is parsed by native code, whose
 * crash must not take the API down. When it crashes or hangs, whoever waits for it goes on at once, and it is replaced.
 */
export function superviseLooker(
  entry: string,
  { env, waitMs, atOnce, log }: { env: Environment; waitMs: number; atOnce: number; log: Log },
): Looker {
  const waiting = new Map<number, Waiting>()
  let child: Bun.Subprocess | undefined
  let ready = false
  let stopping = false
  let backoffMs = RESTART_MS.min
  let restart: ReturnType<typeof setTimeout> | undefined
  let asked = 0

  const settle = (id: number, refusal: BulkError | null) => {
    const one = waiting.get(id)
    clearTimeout(one?.timer)
    waiting.delete(id)
    one?.settle(refusal)
  }
  const hear = (message: FromLooker) => {
    if (message.kind === 'ready') ready = true
    else if (message.refusal) {
      const { code, said, extra } = message.refusal
      settle(message.id, new BulkError(code, said, extra))
    } else settle(message.id, null)
  }
  const start = () => {
    const startedAt = performance.now()
    child = Bun.spawn([process.execPath, entry], {
      env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: hear,
      onExit: (_process, code, signal) => {
        ready = false
        for (const id of waiting.keys()) settle(id, null)
        if (stopping) return
        if (performance.now() - startedAt > RESTART_MS.healthy) backoffMs = RESTART_MS.min
        log.error('the process that looks at files ended; it is started again', {
          code,
          signal,
          afterMs: backoffMs,
        })
        restart = setTimeout(start, backoffMs)
        backoffMs = Math.min(backoffMs * 2, RESTART_MS.max)
      },
    })
  }
  /** The caller goes on; the look stays in the table, so that one that is never answered is seen. */
  const giveUp = (id: number) => {
    const looking = child
    waiting.get(id)?.settle(null)
    tell(looking, { kind: 'cancel', id })
    const hung = setTimeout(() => {
      log.warn('a look at a file does not end; its process is killed', { afterMs: CANCEL_MS })
      looking?.kill('SIGKILL')
    }, CANCEL_MS)
    waiting.set(id, { settle: () => {}, timer: hung })
  }

  start()
  return {
    ready: () => ready,
    look: async (sent) => {
      if (!ready || waiting.size >= atOnce) return
      const id = asked++
      const { promise, resolve } = Promise.withResolvers<BulkError | null>()
      waiting.set(id, { settle: resolve, timer: setTimeout(() => giveUp(id), waitMs) })
      if (!tell(child, { kind: 'look', id, sent })) settle(id, null)
      const refusal = await promise
      if (refusal) throw refusal
    },
    stop: async () => {
      stopping = true
      clearTimeout(restart)
      if (!child || child.exitCode !== null) return
      child.kill('SIGTERM')
      const late = setTimeout(() => child?.kill('SIGKILL'), CANCEL_MS)
      await child.exited
      clearTimeout(late)
    },
  }
}

/** False: the process has just ended. */
function tell(child: Bun.Subprocess | undefined, message: ToLooker): boolean {
  try {
    child?.send(message)
    return child !== undefined
  } catch {
    return false
  }
}
