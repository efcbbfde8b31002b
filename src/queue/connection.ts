import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream'
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node'
import { errorFields, type Log } from '../log.ts'

/** A connection to NATS that is there. */
export type Link = { nc: NatsConnection; js: JetStreamClient; jsm: JetStreamManager }

export type Connection = {
  /** The connection, or undefined while there is none that is prepared. */
  link(): Link | undefined
  /** Prepares the present connection once more, if there is one. */
  prepare(): Promise<void>
  close(): Promise<void>
}

const TOO_OLD = 'this NATS server is older than 2.9.4, which is not supported'

/** Wait before a new connection when NATS has closed one for good, in milliseconds. */
const RECONNECT_MS = 2000

/** Wait before JetStream is asked again when the server answers but JetStream does not, in milliseconds. */
const PREPARE_RETRY_MS = 2000

/** How long a close waits for what is not sent yet, and for a connection that is being made, in milliseconds. */
const CLOSE_MS = 2000

/**
 * Connects in the background, and again for ever. Each time the server is there (again), `prepare` is called until
 * it succeeds, then `ready`, once.
 */
export function keepConnected({
  url,
  name,
  log,
  prepare,
  ready,
}: {
  url: string
  name: string
  log: Log
  prepare: (link: Link) => Promise<void>
  ready: () => void
}): Connection {
  const state = keepPrepared({ prepare, ready, log })
  let link: Link | undefined
  let closed = false

  /** Until the connection is closed. */
  const follow = async (nc: NatsConnection) => {
    const statuses = nc.status()
    const current = { nc, js: jetstream(nc), jsm: await jetstreamManager(nc, { checkAPI: false }) }
    if (closed) return nc.close()
    link = current
    welcome(nc, log)
    void state.back(current)
    for await (const status of statuses) {
      if (status.type === 'disconnect') {
        state.lost()
        log.warn('lost NATS; jobs are still accepted, and are rung for when it is back')
      }
      if (status.type === 'reconnect') {
        log.info('NATS is back', { server: nc.info?.version })
        void state.back(current)
      }
    }
    state.lost()
  }

  // the client waits for a server that is away, but gives up one that refuses it: a password may be put right
  const open = async () => {
    while (!closed) {
      try {
        await follow(await connect(connectionOptions(url, name)))
      } catch (error) {
        if (!closed) log.error('cannot connect to NATS; trying again', errorFields(error))
      }
      if (!closed) await Bun.sleep(RECONNECT_MS)
    }
  }
  const opening = open()

  return {
    link: state.link,
    prepare: async () => {
      if (link) await prepare(link)
    },
    close: async () => {
      closed = true
      state.lost()
      if (!link) return
      await Promise.race([link.nc.drain().catch(() => {}), Bun.sleep(CLOSE_MS)])
      await link.nc.close()
      // without a server a new connection may stand open for ever
      await Promise.race([opening, Bun.sleep(CLOSE_MS)])
    },
  }
}

/** Prepares a connection until it succeeds, as often as it is back, one try at a time. */
function keepPrepared({
  prepare,
  ready,
  log,
}: {
  prepare: (link: Link) => Promise<void>
  ready: () => void
  log: Log
}) {
  // counts the times that the connection was lost or came back: who began to prepare before the last one gives up
  let epoch = 0
  let prepared: Link | undefined

  const lost = () => {
    epoch++
    prepared = undefined
  }
  const back = async (link: Link) => {
    lost()
    const mine = epoch
    while (mine === epoch) {
      try {
        await prepare(link)
        if (mine !== epoch) return
        prepared = link
        return ready()
      } catch (error) {
        if (mine !== epoch) return
        log.warn('NATS answers, but JetStream does not; trying again', errorFields(error))
        await Bun.sleep(PREPARE_RETRY_MS)
      }
    }
  }
  return { link: () => prepared, lost, back }
}

function welcome(nc: NatsConnection, log: Log): void {
  const server = nc.info?.version ?? 'unknown'
  log.info('connected to NATS', { server })
  if (!isSupported(server)) log.warn(TOO_OLD, { server })
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => parseInt(part, 10))
  return major > 2 || (major === 2 && (minor > 9 || (minor === 9 && patch >= 4)))
}

function connectionOptions(url: string, name: string): ConnectionOptions {
  const { username, password, host } = new URL(url)
  const login = password
    ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
    : username
      ? { token: decodeURIComponent(username) }
      : {}
  return {
    servers: host,
    ...login,
    ...(url.startsWith('tls:') ? { tls: {} } : {}),
    name,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: 500,
    // given up when the third is due and the first not answered: a half-open connection is noticed within 24 s
    pingInterval: 8000,
    maxPingOut: 2,
  }
}
