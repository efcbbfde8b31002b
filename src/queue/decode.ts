import type { Task } from '../job.ts'

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** A figura's name, as src/figura/load.ts asks for it. */
const FIGURA = /^[a-z][a-z0-9_]{0,62}$/

/** What a column of PostgreSQL's type int can hold. */
const INT_MAX = 2 ** 31 - 1

/**
 * The task that a message holds, or undefined when it holds none. Exact, since whatever passes here goes to
 * PostgreSQL: an id that it refuses there would be put back, and come again for ever.
 */
export function decodeTask(data: string): Task | undefined {
  const { kind, figura, job, ring, stage, chunk } = parse(data)
  if (typeof figura !== 'string' || !FIGURA.test(figura)) return undefined
  if (typeof job !== 'string' || !UUID.test(job) || !isCount(ring)) return undefined
  if (kind === 'job') return { kind, figura, job, ring }
  if (!isCount(stage)) return undefined
  if (kind === 'merge') return { kind, figura, job, ring, stage }
  if (kind === 'chunk' && isCount(chunk)) return { kind, figura, job, ring, stage, chunk }
  return undefined
}

function parse(data: string): Partial<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= INT_MAX
}
