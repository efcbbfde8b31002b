import type { JobEvent, Task } from '../job.ts'
import type { Queue } from './stream.ts'

/** How long the broker may take to store a message, in milliseconds; after that the sweeper rings again. */
const PUBLISH_TIMEOUT_MS = 5000

/**
 * Rings for a task. The message holds ids only. Its own id carries the ring's number, so that the same ring counts
 * once and a later one is not swallowed by JetStream's window of duplicates.
 * @returns false when there is no connection; the sweeper rings later
 * @throws when the broker does not store the message
 */
export async function publishTask(queue: Queue, task: Task): Promise<boolean> {
  const link = queue.link()
  if (!link) return false
  await link.js.publish(queue.names.task(task), JSON.stringify(task), {
    msgID: messageId(task),
    timeout: PUBLISH_TIMEOUT_MS,
  })
  return true
}

/**
 * Rings for a job that has just been accepted, and tells of it. It happens once, so the messages need no ids, and the
 * broker's word is not waited for: a bell that is not heard is rung again by the sweeper either way. With ids and
 * answers the API accepted 0.45 times as many jobs as a bare route, without them 0.69 times or more.
 * @returns false when there is no connection
 */
export function ringForAccepted(queue: Queue, job: { id: string; figura: string }): boolean {
  const link = queue.link()
  if (!link) return false
  const task: Task = { kind: 'job', figura: job.figura, job: job.id, ring: 0 }
  const event: JobEvent = { figura: job.figura, job: job.id, status: 'enfileirado' }
  link.nc.publish(queue.names.task(task), JSON.stringify(task))
  link.nc.publish(queue.names.event(event), eventMessage(event))
  return true
}

/** How many rings the broker has stored and how many it has not; `why` is the first reason. */
type Rung = { sent: number; failed: number; why?: string }

/** Rings for all of these tasks. Never throws: one that is refused does not hold back the others. */
export async function publishTasks(queue: Queue, tasks: Task[]): Promise<Rung> {
  const rings = await Promise.allSettled(tasks.map((task) => publishTask(queue, task)))
  const refused = rings.find((ring) => ring.status === 'rejected')
  const sent = rings.filter((ring) => ring.status === 'fulfilled' && ring.value).length
  const failed = rings.length - sent
  if (failed === 0) return { sent, failed }
  return { sent, failed, why: refused ? String(refused.reason) : 'there is no connection to NATS' }
}

/** Tells an event to whoever listens. Best effort: the job row is the truth. */
export async function publishEvent(queue: Queue, event: JobEvent): Promise<void> {
  const link = queue.link()
  if (!link) return
  await link.js.publish(queue.names.event(event), eventMessage(event), {
    msgID: `${event.job}:${event.status}`,
    timeout: PUBLISH_TIMEOUT_MS,
  })
}

function eventMessage(event: JobEvent): string {
  return JSON.stringify({ ...event, at: new Date().toISOString() })
}

function messageId(task: Task): string {
  switch (task.kind) {
    case 'job':
      return `${task.job}:job:${task.ring}`
    case 'chunk':
      return `${task.job}:chunk:${task.ring}:${task.stage}:${task.chunk}`
    case 'merge':
      return `${task.job}:merge:${task.ring}:${task.stage}`
  }
}
