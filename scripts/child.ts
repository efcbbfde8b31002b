import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

export type Child = {
  pid: number
  /** Settles when the process is gone, however it ended. */
  exited: Promise<number>
  /** Sends `signal` and waits for the end; after `graceMs` it is killed. */
  stop(graceMs?: number): Promise<void>
  /** As a crash: no clean-up of its own. */
  kill(): Promise<void>
}

type ChildOptions = {
  command: string[]
  /** The signal on which it ends tidily. */
  signal: 'INT' | 'TERM'
  env?: Record<string, string | undefined>
  user?: { uid: number; gid: number }
  /** Where its output goes; absent: to ours. */
  logFile?: string
}

/**
 * Starts a process that never outlives this one. It has a session of its own, so that a Ctrl-C reaches only us and we
 * stop things in our order.
 */
export function startChild({ command, signal, env, user, logFile }: ChildOptions): Child {
  const output = logFile ? openSync(logFile, 'a', 0o600) : 'inherit'
  const streams = { stdin: 'ignore', stdout: output, stderr: output } as const
  const child = Bun.spawn(command, { env: env ?? process.env, ...streams, detached: true, ...user })
  if (typeof output === 'number') closeSync(output)
  const unguard = guard(child.pid, signal)
  const exited = child.exited.then(async (code) => {
    await unguard()
    return code
  })
  const end = async (name: NodeJS.Signals) => {
    child.kill(name)
    await exited
  }
  return {
    pid: child.pid,
    exited,
    stop: async (graceMs = 10_000) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await end(`SIG${signal}`)
      clearTimeout(timer)
    },
    kill: () => end('SIGKILL'),
  }
}

/**
 * Has the signal sent to a process when this one dies, or with a negative id to a group. Beside it a shell waits on a
 * pipe that we hold open: when we die, even by `kill -9`, the pipe closes and the shell sends the signal in our place.
 * @returns ends that
 */
export function guard(pid: number, signal: 'INT' | 'TERM' | 'KILL'): () => Promise<void> {
  const shell = Bun.spawn(['/bin/sh', '-c', 'read -r _; kill -s "$0" -- "$1"', signal, String(pid)], {
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
    detached: true,
  })
  return async () => {
    shell.kill('SIGKILL')
    await shell.exited
  }
}

/**
 * Waits until `ready` answers true. A server that ends before is an error that quotes the end of its log.
 * @throws Error also after `timeoutMs`
 */
export async function untilReady(
  name: string,
  child: Child,
  logFile: string,
  ready: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve(`was not ready after ${timeoutMs} ms`), timeoutMs)
  const gone = child.exited.then((code) => `ended with code ${code}`)
  try {
    while (true) {
      const answer = await Promise.race([ready(), gone, late.promise])
      if (answer === true) return
      if (answer !== false) {
        const log = readFileSync(logFile, 'utf8').slice(-2000)
        throw new Error(`${name} ${answer}. The end of its log:\n${log}`)
      }
      await Bun.sleep(10)
    }
  } catch (error) {
    await child.kill()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** Settles at the first Ctrl-C, SIGTERM or SIGHUP. A second one ends the process at once, as it does by default. */
export function interruption(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => resolve(name))
  })
}
