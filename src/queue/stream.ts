import type { JetStreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { JobEvent, Task } from '../job.ts'
import type { Log } from '../log.ts'
import { keepConnected, type Link } from './connection.ts'

/** What the stream, its subjects and its consumer are called; all derived from the one name that is configured. */
export type Names = {
  stream: string
  events: string
  /** Of the jobs that were given up. */
  deadLetters: string
  consumer: string
  task(task: Task): string
  event(event: JobEvent): string
  dead(job: { figura: string; id: string }): string
}

/** The names for a stream: `BULK` gives the subjects bulk.job.<figura> and so on. */
export function names(stream: string): Names {
  const prefix = stream.toLowerCase()
  return {
    stream,
    events: `${stream}_EVENTS`,
    deadLetters: `${stream}_DEAD`,
    consumer: 'workers',
    task: (task) => `${prefix}.${task.kind}.${task.figura}`,
    event: (event) => `${prefix}.event.${event.figura}.${event.status}`,
    dead: ({ figura, id }) => `${prefix}.dead.${figura}.${id}`,
  }
}

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

/**
 * `ackWaitMs`: the lease, so that a message comes again when the lease of the worker that had it has run out.
 * `eventsDays`: how long events can be read.
 */
type QueueOptions = {
  url: string
  stream: string
  name: string
  ackWaitMs: number
  eventsDays: number
  log: Log
}

/** Opens the queue in the background and keeps it open for ever. */
export function openQueue({ url, stream, name, ackWaitMs, eventsDays, log }: QueueOptions): Queue {
  const queueNames = names(stream)
  const listeners: (() => void)[] = []
  const connection = keepConnected({
    url,
    name,
    log,
    prepare: ({ jsm }) => ensureStreams(jsm, queueNames, { ackWaitMs, eventsDays }),
    ready: () => {
      for (const listener of listeners) listener()
    },
  })
  return {
    names: queueNames,
    ackWaitMs,
    link: connection.link,
    onConnect: (listener) => void listeners.push(listener),
    ensure: connection.prepare,
    close: connection.close,
  }
}

async function ensureStreams(
  jsm: JetStreamManager,
  names: Names,
  { ackWaitMs, eventsDays }: Pick<QueueOptions, 'ackWaitMs' | 'eventsDays'>,
): Promise<void> {
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
    description: `What became of jobs: one message per change of status, for ${eventsDays} days.`,
    subjects: [`${prefix}.event.*.*`],
    retention: 'limits' as const,
    storage: 'file' as const,
    max_age: nanos(eventsDays * 86_400_000),
    max_bytes: 256 * 1024 * 1024,
    discard: 'old' as const,
  })
  await ensureStream(jsm, {
    name: names.deadLetters,
    description:
      'Jobs that were given up, each with its problem, for thirty days. Nothing waits for them to be read.',
    subjects: [`${prefix}.dead.*.*`],
    retention: 'limits' as const,
    storage: 'file' as const,
    max_age: nanos(30 * 24 * 3600 * 1000),
    max_bytes: 64 * 1024 * 1024,
    discard: 'old' as const,
    duplicate_window: nanos(120_000),
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
