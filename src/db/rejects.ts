import { inOrder, storableText, type Sql, type Transaction } from './postgres.ts'

/** What a row breaks: a rule of a column, or of the row as a whole. */
export type Fault = { column: string | null; rule: string; reason: string }

/** A row that was left out. `row` is its number in its file, from 1; `record` the row as JSON text, if it is kept. */
export type Reject = { row: number; faults: [Fault, ...Fault[]]; record: string | null }

/** Rows of one statement: 9 parameters each, of the 65,535 that PostgreSQL takes. */
const BATCH_ROWS = 1000

/** Keeps rows that were left out. A row that is left out once more, by another try, stands there once. */
export async function insertRejects(
  sql: Sql | Transaction,
  { job, stage, file, chunk }: { job: string; stage: number; file: number; chunk: number },
  rejects: Reject[],
): Promise<void> {
  for (let at = 0; at < rejects.length; at += BATCH_ROWS) {
    const rows = rejects.slice(at, at + BATCH_ROWS).map(({ row, faults, record }) => ({
      ...{ job, stage, file, chunk, row },
      column_name: faults[0].column,
      rule: faults[0].rule,
      reason: storableText(faults[0].reason),
      faults: inOrder(sql, faults),
      record: record === null ? null : inOrder(sql, recordOf(record)),
    }))
    await sql`
      insert into bulk.reject ${sql(rows)}
      on conflict (job, file, "row") do update set
        stage = excluded.stage, chunk = excluded.chunk, column_name = excluded.column_name, rule = excluded.rule,
        reason = excluded.reason, faults = excluded.faults, record = excluded.record
    `
  }
}

/** The row without digits lost: a number that JavaScript would round, or write another way, is kept as a text. */
function recordOf(text: string): unknown {
  return JSON.parse(text, (_name, part: unknown, { source }: { source?: string } = {}) => {
    return typeof part === 'number' && source !== String(part) ? source : part
  })
}

/** Forgets what earlier tries of a job have left out. */
export async function forgetRejects(sql: Sql | Transaction, job: string): Promise<void> {
  await sql`delete from bulk.reject where job = ${job}`
}
