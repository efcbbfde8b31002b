import { dice, type Dice } from '../../scripts/dice.ts'

/** Keys that the jobs write: so few that nearly every job meets the rows of others, and that many go on being new. */
const KEYS = 6000

/** The figuras: two of one table, and one that only appends, which a second effect shows in. */
export const FIGURAS: Record<string, { table: string; columns: string; load: string }> = {
  chaves: {
    table: 'chaves',
    columns: '  id: { type: bigint }\n  valor: { type: bigint }',
    load: 'key: [id]',
  },
  chaves_b: {
    table: 'chaves',
    columns: '  id: { type: bigint }\n  valor: { type: bigint }',
    load: 'key: [id]',
  },
  lista: {
    table: 'lista',
    columns: '  arquivo: { type: bigint }\n  linha: { type: bigint }',
    load: 'load: { mode: append }',
  },
}

/** A file of a job: its number is the value of its rows. */
export type Sent = { number: number; figura: string; rows: number; start: number; step: number }

/** Decides what is sent: small files, which go in one transaction, and such as are staged and merged in parts. */
export function decideFiles(seed: number, jobs: number): Sent[] {
  const at = dice(seed, 0)
  return Array.from({ length: jobs }, (_, index) => ({
    number: index + 1,
    figura: at.one(['chaves', 'chaves', 'chaves', 'chaves_b', 'chaves_b', 'lista']),
    rows: at.one([20, 100, 250, 800, 1500]),
    start: at.below(KEYS),
    // prime to the number of keys, so that no key comes twice
    step: at.one([1, 7, 77, 1001]),
  }))
}

/** The rows of a file, as a query. */
export function selectOf(sent: Sent): string {
  const { number, figura, rows, start, step } = sent
  if (figura === 'lista') return `select ${number}::bigint as arquivo, j as linha from range(${rows}) t(j)`
  const key = `((${start} + j * ${step}) % ${KEYS})::bigint`
  return `select ${key} as id, ${number}::bigint as valor from range(${rows}) t(j)`
}

/** The keys of a file. */
export function keysOf({ rows, start, step }: Sent): number[] {
  return Array.from({ length: rows }, (_, j) => (start + j * step) % KEYS)
}

/** Keys that the foreign writer changes together, in no order. */
export function foreignKeys(at: Dice): number[] {
  return Array.from({ length: 2 + at.below(20) }, () => at.below(KEYS))
}
