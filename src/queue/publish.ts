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

/** Tells an event to whoever listens. Best effort: the job row is the truth. */
export async function publishEvent(queue: Queue, event: JobEvent): Promise<void> {
  const link = queue.link()
  if (!link) return
  const message = JSON.stringify({ ...event, at: new Date().toISOString() })
  await link.js.publish(queue.names.event(event), message, {
    msgID: `${event.job}:${event.status}`,
    timeout: PUBLISH_TIMEOUT_MS,
  })
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
