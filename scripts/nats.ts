import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort, startChild, untilReady } from './child.ts'

export type Nats = {
  url: string
  port: number
  exited: Promise<number>
  stop(): Promise<void>
  /** SIGKILL, as a crash of the machine would. Starting it again in the same `dir` finds the same streams. */
  kill(): Promise<void>
}

type NatsOptions = { dir: string; port?: number; token?: string; login?: { user: string; password: string } }

/** Starts nats-server with JetStream on 127.0.0.1; `dir`: for streams and log. `token`, `login`: asked of clients. */
export async function startNats({ dir, port, token, login }: NatsOptions): Promise<Nats> {
  mkdirSync(dir, { recursive: true })
  const onPort = port ?? (await freePort())
  const logFile = join(dir, 'nats.log')
  const asked = login ? ['--user', login.user, '--pass', login.password] : token ? ['--auth', token] : []
  const child = startChild({
    command: [serverBinary(), '-a', '127.0.0.1', '-p', String(onPort), '-js', '-sd', dir, ...asked],
    signal: 'TERM',
    logFile,
  })
  await untilReady('nats-server', child, logFile, () => greets(onPort))
  const { exited, stop, kill } = child
  return { url: `nats://127.0.0.1:${onPort}`, port: onPort, exited, stop, kill }
}

function serverBinary(): string {
  const binary = process.env.NATS_SERVER || Bun.which('nats-server')
  if (!binary)
    throw new Error(
      'nats-server: found none, expected NATS_SERVER or one on PATH. Run it by ./scripts/test or ./scripts/dev.',
    )
  return binary
}

/** The server opens its port for clients after JetStream has recovered its streams, and speaks first. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', (greeting) => done(greeting.toString().includes('"jetstream":true')))
    socket.setTimeout(1000, () => done(false))
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
  })
}
