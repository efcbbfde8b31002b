import { countLive } from '../db/jobs.ts'
import type { Sql } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import { inTime } from './in-time.ts'

/** How many jobs may live (wait or run) at once. */
export type QueueLimits = { perFigura: number; perKey: number }

/**
 * How long a count is good for, in milliseconds: jobs that this process accepts meanwhile are added to it. A count
 * that refuses is good for less, since jobs end. Several API nodes may together exceed a limit by what the others
 * accept in this time. Counting for each PUT would cost a millisecond for 10,000 jobs that wait.
 */
const GOOD_MS = 1000
const FULL_MS = 100

/** Seconds that a caller is asked to wait for jobs to end. */
const RETRY_SECONDS = 10

type Counted = { at: number; found: Promise<number>; taken: number }

/** Gives a place back of which no job was made. */
export type GiveBack = () => void

/**
 * Makes the function that takes a place for one more job, for its figura and for the key that it comes by.
 * What it answers throws BulkError queue_full, unavailable.
 */
export function openRoom(sql: Sql, { perFigura, perKey }: QueueLimits) {
  const counts = new Map<string, Counted>()

  async function take(what: string, limit: number, count: () => Promise<number>): Promise<GiveBack> {
    const before = counts.get(what)
    const full = before && (await before.found) + before.taken >= limit
    // looked up anew: of all that have waited for the line above, the first counts, and the others share its count
    let counted = counts.get(what)
    const age = performance.now() - (counted?.at ?? -Infinity)
    if (!counted || age > (full ? FULL_MS : GOOD_MS)) {
      counted = { at: performance.now(), found: inTime(count()), taken: 0 }
      counts.set(what, counted)
    }
    const jobs = await counted.found.catch((error: unknown) => {
      counts.delete(what)
      throw error
    })
    if (jobs + counted.taken >= limit) throw queueFull(what, limit)
    const of = counted
    of.taken += 1
    return () => void (of.taken -= 1)
  }

  return async (figura: string, caller: string): Promise<GiveBack> => {
    const place = await take(`The figura ${figura}`, perFigura, () => countLive(sql, { figura }, perFigura))
    if (!caller) return place
    try {
      const own = await take(`The key ${caller}`, perKey, () => countLive(sql, { caller }, perKey))
      return () => {
        place()
        own()
      }
    } catch (error) {
      place()
      throw error
    }
  }
}

function queueFull(subject: string, limit: number): BulkError {
  const said = { subject, found: `${limit} jobs that have not ended`, expected: 'fewer' }
  return new BulkError('queue_full', said, { limit, retry_after: RETRY_SECONDS })
}
