import { afterEach } from 'bun:test'
import type { Outcome, Task } from '../../src/job.ts'
import { createLog } from '../../src/log.ts'
import { consume } from '../../src/queue/consume.ts'
import { readDepth } from '../../src/queue/depth.ts'
import { openQueue, type Queue } from '../../src/queue/stream.ts'
import { freshStream, servers } from '../support/servers.ts'
import { until } from '../support/service.ts'

export const DONE: Outcome = { kind: 'done', release: [] }
export const log = createLog({}, () => {})

/** What is closed after each test, the last one first. */
export const closing: (() => Promise<void>)[] = []

/** Closes after each test of the file that calls this. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
}

export function doorbell(job: string): Extract<Task, { kind: 'job' }> {
  return { kind: 'job', figura: 'f', job: named(job), ring: 0 }
}

/** A job's id for a name, always the same. */
export function named(name: string): string {
  const hex = Bun.hash(name).toString(16).padStart(16, '0').repeat(2)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** As `count`; what was asked while the connection broke off is never answered. */
export async function counted(queue: Queue): Promise<number | undefined> {
  return count(queue).catch(() => undefined)
}

export async function count(queue: Queue): Promise<number> {
  const { waiting, working } = await readDepth(queue)
  return waiting + working
}

export async function connected(stream = freshStream(), url = servers.natsUrl): Promise<Queue> {
  const queue = openQueue({ url, stream, name: 'test', ackWaitMs: 30_000, eventsDays: 7, log })
  closing.push(() => queue.close())
  await until('NATS is connected', async () => queue.link())
  return queue
}

export function work(queue: Queue, slots: number, run: (task: Task) => Promise<Outcome>): void {
  const consumption = consume(queue, { slots, run, log })
  closing.push(consumption.stop)
}
