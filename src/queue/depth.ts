import type { Queue } from './stream.ts'

/** Tasks that wait for a worker, and tasks that one works on. */
type Depth = { waiting: number; working: number }

/** How long /readyz waits for a word of NATS, in milliseconds: a probe gives up after a second or a few. */
const STATE_TIMEOUT_MS = 800

/**
 * The depth of the queue as its consumer counts it. Never the stream's number of messages: 2.9.10 leaves
 * acknowledged ones in it after a kill -9 (3 of 3). A task that was put back counts as being worked on.
 * @throws when NATS does not answer
 */
export async function readDepth(queue: Queue): Promise<Depth> {
  const link = queue.link()
  if (!link) throw new Error('there is no connection to NATS')
  const info = await link.jsm.consumers.info(queue.names.stream, queue.names.consumer)
  return { waiting: info.num_pending, working: info.num_ack_pending }
}

/** The queue in a few words, for /readyz: `ok, 3 waiting, 2 in work`. Never throws, and answers within a second. */
export async function queueState(queue: Queue): Promise<string> {
  if (!queue.link()) return 'not connected; jobs are accepted, and rung for later'
  const late = Bun.sleep(STATE_TIMEOUT_MS).then(() => undefined)
  const depth = await Promise.race([readDepth(queue).catch(() => undefined), late])
  if (!depth) return 'connected, but JetStream does not answer; jobs are accepted, and rung for later'
  return `ok, ${depth.waiting} waiting, ${depth.working} in work`
}
