import { unavailable } from './problem.ts'

/**
 * Longer than any statement of the API takes, shorter than Bun keeps a silent connection open (see serve.ts).
 */
const PATIENCE_MS = 10_000

/**
 * What PostgreSQL answers, unless that takes too long: a database that holds the connection and says nothing
 * (frozen, or behind a network that drops packets) must not leave the caller without an answer. The statement
 * itself goes on.
 * @throws BulkError unavailable
 */
export async function inTime<T>(work: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(`no answer of PostgreSQL in ${patienceMs} ms`)), patienceMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
