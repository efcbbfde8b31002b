import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import type { Outcome, Task } from '../job.ts'
import { errorFields, type Log } from '../log.ts'
import type { Link } from './connection.ts'
import { decodeTask } from './decode.ts'
import { publishTasks } from './publish.ts'
import type { Queue } from './stream.ts'

/** How long one request for a message stands at the server, in milliseconds. */
const PULL_EXPIRES_MS = 30_000

type Consumption = {
  /** Pulls nothing more, and waits for what is running. */
  stop(): Promise<void>
}

/**
 * Pulls tasks by free capacity: `slots` loops, each asking for one message, running it to its end, and only then
 * asking for the next. Nothing is prefetched, since a prefetched message would be stranded until ack_wait if this
 * node stops.
 */
export function consume(
  queue: Queue,
  { slots, run, log }: { slots: number; run: (task: Task) => Promise<Outcome>; log: Log },
): Consumption {
  const pulls = new Set<ConsumerMessages>()
  const runSafely = apart(run)
  let stopping = false
  let consumer: Consumer | undefined

  async function loop(): Promise<void> {
    while (!stopping) {
      const link = queue.link()
      if (!link) {
        await Bun.sleep(200)
        continue
      }
      try {
        const message = await pull(link)
        if (message) await handle(queue, message, { run: runSafely, log })
      } catch (error) {
        if (stopping) return
        consumer = undefined
        log.warn('cannot pull from the queue; trying again', errorFields(error))
        await Bun.sleep(1000)
        await queue.ensure().catch(() => {})
      }
    }
  }

  async function pull(link: Link): Promise<JsMsg | undefined> {
    consumer ??= await link.js.consumers.get(queue.names.stream, queue.names.consumer)
    const messages = await consumer.fetch({ max_messages: 1, expires: PULL_EXPIRES_MS })
    pulls.add(messages)
    if (stopping) messages.stop()
    try {
      for await (const message of messages) return message
    } finally {
      pulls.delete(messages)
    }
    return undefined
  }

  const loops = Array.from({ length: slots }, loop)
  return {
    stop: async () => {
      stopping = true
      for (const messages of pulls) messages.stop()
      await Promise.all(loops)
    },
  }
}

/** Runs a task that was delivered so many times. */
type Run = (task: Task, deliveries: number) => Promise<Outcome>

/** A task that has come so many times has twice ended without a word, or failed. */
const SUSPECT_DELIVERIES = 3

/** How much longer one of them waits with each delivery while another one runs, and how long at the most. */
const APART_MS = 500
const APART_MAX_MS = 10_000

/**
 * Runs one task at a time of those that came twice without an end, beside others. A file that kills its reader takes
 * what runs beside it along, and that comes again at the same moment as the file: a neighbour would lose each of its
 * tries to it. The others of its kind go back: waiting here, as many as there are threads keep all new work out.
 */
function apart(run: (task: Task) => Promise<Outcome>): Run {
  let busy = false
  return async (task, deliveries) => {
    if (deliveries < SUSPECT_DELIVERIES) return run(task)
    if (busy) {
      const delayMs = Math.min(APART_MS * (deliveries - SUSPECT_DELIVERIES + 1), APART_MAX_MS)
      return { kind: 'again', delayMs, reason: 'another task runs that came as often' }
    }
    busy = true
    try {
      return await run(task)
    } finally {
      busy = false
    }
  }
}

async function handle(queue: Queue, message: JsMsg, { run, log }: { run: Run; log: Log }): Promise<void> {
  const task = decodeTask(message.string())
  if (!task) {
    // not its content: whoever sent it may have put a credential there
    const { subject, data } = message
    log.error('a message of the queue is no task; it is dropped', { subject, bytes: data.length })
    message.term()
    return
  }
  // a third of ack_wait, so that one lost word does not give the task to a second worker
  const alive = setInterval(() => message.working(), queue.ackWaitMs / 3)
  try {
    const outcome = await run(task, message.info.deliveryCount)
    switch (outcome.kind) {
      case 'done':
        // before the ack: if this node dies in between, the redelivered task finds its work done and releases
        // nothing, and the sweeper rings for the job
        await release(queue, outcome.release, log)
        message.ack()
        return
      case 'again':
        log.info('a task is put back', { ...task, delayMs: outcome.delayMs, reason: outcome.reason })
        // whole milliseconds: a delay that is no whole number of nanoseconds is to the server a NAK without any (one of
        // 1087.65 ms and some digits more made 5,039 redeliveries in 0.9 s on 2.10.27), and the client does not round
        message.nak(Math.ceil(outcome.delayMs))
        return
    }
  } catch (error) {
    log.error('a task failed in a way that nobody foresaw; it is put back', {
      ...task,
      ...errorFields(error),
    })
    message.nak(5000)
  } finally {
    clearInterval(alive)
  }
}

async function release(queue: Queue, tasks: Task[], log: Log): Promise<void> {
  const { sent, failed, why } = await publishTasks(queue, tasks)
  if (failed) log.warn('cannot ring for all tasks; the sweeper does it later', { sent, failed, why })
}
