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

/** Looks that were asked for, by their numbers: what to do with the answer, and what when none comes. */
type Waiting = Map<
  number,
  { settle: (refusal: BulkError | null) => void; timer: ReturnType<typeof setTimeout> }
>

/**
 * Keeps a process alive beside this one that looks at files: what comes from strangers is parsed by native code, whose
 * crash must not take the API down. When it crashes or hangs, whoever waits for it goes on at once, and it is replaced.
 */
export function superviseLooker(
  entry: string,
  { env, waitMs, atOnce, log }: { env: Environment; waitMs: number; atOnce: number; log: Log },
): Looker {
  const waiting: Waiting = new Map()
  let asked = 0
  const settle = (id: number, refusal: BulkError | null) => {
    const one = waiting.get(id)
    clearTimeout(one?.timer)
    waiting.delete(id)
    one?.settle(refusal)
  }
  const looking = keepAlive(entry, {
    env,
    log,
    hear: ({ id, refusal }) =>
      settle(id, refusal && new BulkError(refusal.code, refusal.said, refusal.extra)),
    ended: () => {
      for (const id of waiting.keys()) settle(id, null)
    },
  })
  /** The caller goes on; the look stays among those that wait, so that one that is never answered is seen. */
  const giveUp = (id: number) => {
    const child = looking.child()
    waiting.get(id)?.settle(null)
    tell(child, { kind: 'cancel', id })
    const timer = setTimeout(() => {
      log.warn('a look at a file does not end; its process is killed', { afterMs: CANCEL_MS })
      child?.kill('SIGKILL')
    }, CANCEL_MS)
    waiting.set(id, { settle: () => {}, timer })
  }
  return {
    ready: () => looking.child() !== undefined,
    look: async (sent) => {
      const child = looking.child()
      if (!child || waiting.size >= atOnce) return
      const id = asked++
      const { promise, resolve } = Promise.withResolvers<BulkError | null>()
      waiting.set(id, { settle: resolve, timer: setTimeout(() => giveUp(id), waitMs) })
      if (!tell(child, { kind: 'look', id, sent })) settle(id, null)
      const refusal = await promise
      if (refusal) throw refusal
    },
    stop: looking.stop,
  }
}

type Answer = Extract<FromLooker, { kind: 'answer' }>

/** A process that is started again whenever it ends. `child`: the one that is ready now. */
function keepAlive(
  entry: string,
  {
    env,
    hear,
    ended,
    log,
  }: { env: Environment; hear: (answer: Answer) => void; ended: () => void; log: Log },
): { child(): Bun.Subprocess | undefined; stop(): Promise<void> } {
  let child: Bun.Subprocess | undefined
  let ready = false
  let stopping = false
  let backoffMs = RESTART_MS.min
  let restart: ReturnType<typeof setTimeout> | undefined

  const start = () => {
    const startedAt = performance.now()
    child = Bun.spawn([process.execPath, entry], {
      env,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: (message: FromLooker) => {
        if (message.kind === 'ready') ready = true
        else hear(message)
      },
      onExit: (_process, code, signal) => {
        ready = false
        ended()
        if (stopping) return
        if (performance.now() - startedAt > RESTART_MS.healthy) backoffMs = RESTART_MS.min
        const how = { code, signal, afterMs: backoffMs }
        log.error('the process that looks at files ended; it is started again', how)
        restart = setTimeout(start, backoffMs)
        backoffMs = Math.min(backoffMs * 2, RESTART_MS.max)
      },
    })
  }

  start()
  return {
    child: () => (ready ? child : undefined),
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
