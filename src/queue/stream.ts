import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream'
import { connect, nanos, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node'
import type { JobEvent, Task } from '../job.ts'
import { errorFields, type Log } from '../log.ts'

/** What the stream, its subjects and its consumer are called; all derived from the one name that is configured. */
export type Names = {
  stream: string
  events: string
  consumer: string
  task(task: Task): string
  event(event: JobEvent): string
}

/** The names for a stream: `BULK` gives the subjects bulk.job.<figura> and so on. */
export function names(stream: string): Names {
  const prefix = stream.toLowerCase()
  return {
    stream,
    events: `${stream}_EVENTS`,
    consumer: 'workers',
    task: (task) => `${prefix}.${task.kind}.${task.figura}`,
    event: (event) => `${prefix}.event.${event.figura}.${event.status}`,
  }
}

/** A connection to NATS that is there. */
export type Link = { nc: NatsConnection; js: JetStreamClient; jsm: JetStreamManager }

/**
 * The queue as seen by one process. It may never have been reached: nothing here waits for NATS, since a job is
 * safe in PostgreSQL before anybody rings for it.
 */
export type Queue = {
  names: Names
  /** How long the server waits for a word on a message before it gives it to another worker, in milliseconds. */
  ackWaitMs: number
  /** The connection, or undefined while there is none. */
  link(): Link | undefined
  /** Calls back whenever the connection is there (again) and the streams exist. */
  onConnect(listener: () => void): void
  /** Makes the streams and the consumer anew if they are gone (an emptied store, a new server). */
  ensure(): Promise<void>
  close(): Promise<void>
}

/** `ackWaitMs`: the lease, so that a message comes again when the lease of the worker that had it has run out. */
export type QueueOptions = { url: string; stream: string; name: string; ackWaitMs: number; log: Log }

const TOO_OLD = 'this NATS server is older than 2.9.4, which is not supported'

/** Wait before a new connection when NATS has closed one for good, in milliseconds. */
const RECONNECT_MS = 2000

/** Opens the queue in the background and keeps it open for ever. */
export function openQueue({ url, stream, name, ackWaitMs, log }: QueueOptions): Queue {
  const queueNames = names(stream)
  const listeners: (() => void)[] = []
  let link: Link | undefined
  let connected = false
  let closed = false

  const announce = async () => {
    if (!link) return
    try {
      await ensureStreams(link.jsm, queueNames, ackWaitMs)
      connected = true
      for (const listener of listeners) listener()
    } catch (error) {
      if (!closed) log.warn('NATS answers, but JetStream does not; trying again', errorFields(error))
      if (!closed) setTimeout(() => void announce(), 2000)
    }
  }

  /** Until the connection is closed. */
  const follow = async (nc: NatsConnection) => {
    if (closed) return nc.close()
    link = { nc, js: jetstream(nc), jsm: await jetstreamManager(nc, { checkAPI: false }) }
    const server = nc.info?.version ?? 'unknown'
    log.info('connected to NATS', { server, stream })
    if (!isSupported(server)) log.warn(TOO_OLD, { server })
    await announce()
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') {
        connected = false
        log.warn('lost NATS; jobs are still accepted, and are rung for when it is back')
      }
      if (status.type === 'reconnect') {
        log.info('NATS is back', { server: nc.info?.version })
        void announce()
      }
    }
    connected = false
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
    names: queueNames,
    ackWaitMs,
    link: () => (connected ? link : undefined),
    onConnect: (listener) => void listeners.push(listener),
    ensure: async () => {
      if (link) await ensureStreams(link.jsm, queueNames, ackWaitMs)
    },
    close: async () => {
      closed = true
      connected = false
      if (!link) return
      await Promise.race([link.nc.drain().catch(() => {}), Bun.sleep(2000)])
      await link.nc.close()
      await opening
    },
  }
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
    // two missed pings: a half-open connection is noticed within 20 s
    pingInterval: 10_000,
    maxPingOut: 2,
  }
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => parseInt(part, 10))
  return major > 2 || (major === 2 && (minor > 9 || (minor === 9 && patch >= 4)))
}

async function ensureStreams(jsm: JetStreamManager, names: Names, ackWaitMs: number): Promise<void> {
  const prefix = names.stream.toLowerCase()
  await ensureStream(jsm, {
    name: names.stream,
    description:
      'Work of the bulk ingestion: doorbells for jobs, chunks and merges. The truth is in PostgreSQL.',
    subjects: [`${prefix}.job.*`, `${prefix}.chunk.*`, `${prefix}.merge.*`],
    retention: 'workqueue' as const,
    storage: 'file' as const,
    duplicate_window: nanos(120_000),
  })
  await ensureStream(jsm, {
    name: names.events,
    description: 'What became of jobs: one message per change of status, for seven days.',
    subjects: [`${prefix}.event.*.*`],
    retention: 'limits' as const,
    storage: 'file' as const,
    max_age: nanos(7 * 24 * 3600 * 1000),
    max_bytes: 256 * 1024 * 1024,
    discard: 'old' as const,
  })
  const settings = {
    description: 'All worker threads of all nodes. Waiting: num_pending; being worked on: num_ack_pending.',
    // No `backoff`: it would override ack_wait (30 s became 0.5 s on 2.9.10). No max_deliver: a message at the limit
    // stays in the stream where nobody looks; attempts are counted in PostgreSQL.
    ack_wait: nanos(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: 10_000,
  }
  try {
    await jsm.consumers.update(names.stream, names.consumer, settings)
  } catch {
    await jsm.consumers.add(names.stream, {
      ...settings,
      durable_name: names.consumer,
      ack_policy: 'explicit',
      deliver_policy: 'all',
      // one request stands for each idle thread of the cluster; the default is 512
      max_waiting: 4096,
    })
  }
}

/** Two nodes may do this at once: whoever comes second finds the stream and sets it to what it is. */
async function ensureStream(
  jsm: JetStreamManager,
  config: Parameters<JetStreamManager['streams']['add']>[0],
) {
  try {
    await jsm.streams.update(config.name, config)
  } catch {
    await jsm.streams.add(config)
  }
}
