import { unavailable } from './problem.ts'

/**
 * Longer than any statement of the API takes, shorter than Bun keeps a silent connection open (see serve.ts).
 */
const PATIENCE_MS = 10_000

/**
 * What PostgreSQL answers, unless that takes too long: a database that holds the connection and says nothing
 * (frozen, or behind a network that drops packets) must not leave the caller without an answer. The statement
 * itself goes on.
 * @throws BulkError unavailable, unless another error is made for the case
 */
export async function inTime<T>(
  work: Promise<T>,
  patienceMs = PATIENCE_MS,
  late: () => Error = () => unavailable(`no answer of PostgreSQL in ${patienceMs} ms`),
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), patienceMs)
  })
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
  }
}
