import type { Task } from '../job.ts'
import { errorFields, type Log } from '../log.ts'
import { readDepth } from './depth.ts'
import { publishTasks } from './publish.ts'
import type { Queue } from './stream.ts'

/** A job whose doorbell may be lost. */
type Stalled = { id: string; figura: string; ring: number }

/** Jobs taken and rung for at a time; of those that are due, the next sweep takes the next ones. */
const SWEEP_LIMIT = 1000

/** Takes after one outage, so that it ends whatever `take` answers: a million jobs. */
const MAX_TAKES = 1000

/** With a busy queue a message probably still stands in line, so only what is so late is rung for, in milliseconds. */
const PATIENCE_MS = 60_000

/** No job's next ring lies further ahead, in milliseconds: neither of one that waits nor of one rung often. */
const LATEST_RING_MS = 600_000

/** The least UUID: no job has it. */
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000'

/**
 * Takes the stalled jobs from the truth. `overdueMs`: how long past its time a job must be; negative takes jobs
 * before their time. `nextMs`: when it is to be rung for again, at the earliest. `after`: takes by id, only what comes
 * after this one.
 */
export type TakeStalled = (options: {
  overdueMs: number
  nextMs: number
  limit: number
  after?: string
}) => Promise<Stalled[]>

type Parts = { queue: Queue; leaseMs: number; take: TakeStalled; log: Log }

/** A round over all jobs, which stands after the job with this id. */
type Round = { after: string }

/**
 * Rings again for jobs that stand still, on every node, without a leader: the takers share the jobs among them.
 * With an empty queue whatever is due has lost its message. After an outage of NATS every doorbell may be lost: each
 * node that is back goes once over all jobs, in the order of their ids. So N nodes ring up to N times for a job, which
 * its claims bear, and no job twice in a round. A round that is broken off goes on where it stood.
 */
export function startSweep(
  queue: Queue,
  { everyMs, leaseMs, take, log }: { everyMs: number; leaseMs: number; take: TakeStalled; log: Log },
): { stop(): Promise<void> } {
  const parts = { queue, leaseMs, take, log }
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  let owed: Round | undefined

  const sweep = () => {
    running = running.then(async () => {
      if (stopped || !queue.link()) return
      const round = owed
      try {
        if (!round) return await ringForDue(parts)
        const complete = await ringForAll(parts, { round, goesOn: () => !stopped && owed === round })
        if (complete && owed === round) owed = undefined
      } catch (error) {
        if (!stopped) log.warn('the sweep failed; it is done again', errorFields(error))
      }
    })
  }

  const timer = setInterval(sweep, everyMs)
  queue.onConnect(() => {
    owed = { after: BEFORE_ALL }
    sweep()
  })
  if (queue.link()) sweep()
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}

async function ringForDue(parts: Parts): Promise<void> {
  const { queue, leaseMs, take } = parts
  const { waiting, working } = await readDepth(queue)
  const overdueMs = waiting + working === 0 ? 0 : PATIENCE_MS
  await ring(parts, await take({ overdueMs, nextMs: leaseMs, limit: SWEEP_LIMIT }), { waiting, working })
}

/** @returns true when nothing is left of the round */
async function ringForAll(
  parts: Parts,
  { round, goesOn }: { round: Round; goesOn: () => boolean },
): Promise<boolean> {
  const { queue, leaseMs, take, log } = parts
  for (let takes = 0; takes < MAX_TAKES; takes++) {
    if (!goesOn()) return false
    const { after } = round
    const depth = await readDepth(queue)
    const jobs = await take({ overdueMs: -LATEST_RING_MS, nextMs: leaseMs, limit: SWEEP_LIMIT, after })
    // one that is refused has its next ring; when all are, the round stands still
    if (!(await ring(parts, jobs, depth))) return false
    if (jobs.length < SWEEP_LIMIT) return true
    for (const { id } of jobs) if (id > round.after) round.after = id
  }
  log.warn('more jobs stand in line than one round rings for', { jobs: MAX_TAKES * SWEEP_LIMIT })
  return true
}

/** @returns false when none could be sent */
async function ring(
  { queue, log }: Parts,
  jobs: Stalled[],
  depth: { waiting: number; working: number },
): Promise<boolean> {
  if (jobs.length === 0) return true
  const { sent, failed, why } = await publishTasks(queue, jobs.map(doorbell))
  if (failed) log.warn('could not ring for all jobs that stood still', { sent, failed, why, ...depth })
  else log.info('rang again for jobs that stood still', { sent, failed, ...depth })
  return sent > 0
}

function doorbell(job: Stalled): Task {
  return { kind: 'job', figura: job.figura, job: job.id, ring: job.ring }
}
