import type { DeadJob } from '../db/dead-letters.ts'
import { publicUrl } from '../job.ts'
import type { Queue } from './stream.ts'

/** How long the broker may take to store a letter, in milliseconds; after that the next round sends it again. */
const PUBLISH_TIMEOUT_MS = 5000

/** Letters of one round, so that it ends. */
const LIMIT = 100

/** The jobs that are to be told, and who is to hear that one was. */
type Letters = {
  find: (limit: number) => Promise<DeadJob[]>
  told: (job: string) => Promise<void>
}

/**
 * Sends a message for every job that was given up. The row says which those are, so that one that happens while NATS
 * is away is sent when it is back. Sent at least once: two nodes that come upon a job at the same time are one message
 * by its id, within the window in which JetStream knows it. A letter that cannot be sent, such as one that is too
 * large for NATS, holds back none behind it.
 * @throws what was against the first that could not be sent, once all others are
 */
export async function sendDeadLetters(queue: Queue, { find, told }: Letters): Promise<void> {
  const link = queue.link()
  if (!link) return
  const send = async (job: DeadJob) => {
    await link.js.publish(queue.names.dead(job), JSON.stringify(letterOf(job)), {
      msgID: `${job.id}:dead`,
      timeout: PUBLISH_TIMEOUT_MS,
    })
    await told(job.id)
  }
  const sent = await Promise.allSettled((await find(LIMIT)).map(send))
  const refused = sent.find((one) => one.status === 'rejected')
  if (refused) throw refused.reason
}

/** What the message holds: the problem, and how to send the job again; of the address what is no secret. */
function letterOf({ id, figura, url, attempts, createdAt, finishedAt, error }: DeadJob) {
  return {
    job: id,
    figura,
    status: 'erro',
    url: publicUrl(url),
    attempts,
    created_at: createdAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    problem: error,
    status_url: `/${figura}/_bulk/status/${id}`,
    retry_url: `/${figura}/_bulk/${id}/retry`,
  }
}
