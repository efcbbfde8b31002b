import type { Task } from '../job.ts'
import { errorFields, type Log } from '../log.ts'
import { publishTask } from './publish.ts'
import type { Queue } from './stream.ts'

/** A job whose doorbell may be lost. */
export type Stalled = { id: string; figura: string; ring: number }

/** Jobs rung for in one sweep; the next sweep takes the next ones. */
const SWEEP_LIMIT = 1000

/** No job's next ring lies further ahead, in milliseconds: neither of one that waits nor of one rung often. */
const LATEST_RING_MS = 600_000

/**
 * Takes the stalled jobs from the truth. `overdueMs`: how long past its time a job must be; negative takes jobs
 * before their time. `nextMs`: when it is to be rung for again, at the earliest.
 */
export type TakeStalled = (options: {
  overdueMs: number
  nextMs: number
  limit: number
}) => Promise<Stalled[]>

/**
 * Rings again for jobs that stand still, on every node, without a leader: the takers share the jobs among them.
 * With an empty queue whatever is due has lost its message. With a busy one the message probably still stands in
 * line, so only what is a minute overdue is rung for. After an outage of NATS every doorbell may be lost: all are
 * rung for.
 */
export function startSweep(
  queue: Queue,
  { everyMs, leaseMs, take, log }: { everyMs: number; leaseMs: number; take: TakeStalled; log: Log },
): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve()
  let stopped = false

  const sweep = (overdueMs: number | undefined) => {
    running = running.then(async () => {
      if (stopped || !queue.link()) return
      try {
        const patience = overdueMs ?? ((await readDepth(queue)) === 0 ? 0 : 60_000)
        const stalled = await take({ overdueMs: patience, nextMs: leaseMs, limit: SWEEP_LIMIT })
        await Promise.all(stalled.map((job) => publishTask(queue, doorbell(job))))
        if (stalled.length) log.info('rang again for jobs that stood still', { jobs: stalled.length })
      } catch (error) {
        if (!stopped) log.warn('the sweep failed; it is done again', errorFields(error))
      }
    })
  }

  const timer = setInterval(() => sweep(undefined), everyMs)
  queue.onConnect(() => sweep(-LATEST_RING_MS))
  if (queue.link()) sweep(undefined)
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}

/**
 * Tasks that wait or are being worked on, as the consumer counts them. Never the stream's number of messages: 2.9.10
 * leaves acknowledged ones in it after a kill -9 (3 of 3).
 */
export async function readDepth(queue: Queue): Promise<number> {
  const link = queue.link()
  if (!link) throw new Error('there is no connection to NATS')
  const info = await link.jsm.consumers.info(queue.names.stream, queue.names.consumer)
  return info.num_pending + info.num_ack_pending
}

function doorbell(job: Stalled): Task {
  return { kind: 'job', figura: job.figura, job: job.id, ring: job.ring }
}
