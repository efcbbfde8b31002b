import type { Duckdb } from '../db/duckdb.ts'
import type { Fault, Reject } from '../db/rejects.ts'
import { BulkError } from '../errors.ts'
import { type Figura, rejectsOf } from '../figura/types.ts'
import { queryRows } from './read.ts'
import type { Reading, Rule } from './rules.ts'
import type { LocalRows } from './sql-duckdb.ts'
import { brokenRowsSql } from './sql-reading.ts'

/** A row that is left out; `found` and `expected` tell of the first rule that it breaks. */
export type LeftOut = Reject & { found: string; expected: string }

type BrokenRow = { no: number; numbers: string; shown: string; record: string | null }

/** A record of a row that is longer is not kept: so many bytes of texts, and so many characters in all. */
const RECORD_LENGTH = 16 * 1024

/** The rows that break a rule, up to `limit` of them, in the order of the file. */
export async function readRejects(
  duck: Duckdb,
  rows: LocalRows,
  { reading, limit }: { reading: Reading; limit: number },
): Promise<LeftOut[]> {
  const broken: BrokenRow[] = []
  const sqlOf = (part: LocalRows) =>
    brokenRowsSql(part, reading, { limit: limit - broken.length, recordBytes: RECORD_LENGTH })
  for await (const some of queryRows<BrokenRow>(duck, rows, reading, sqlOf)) {
    broken.push(...some)
    if (broken.length >= limit) break
  }
  return broken.flatMap(({ no, numbers, shown, record }) => {
    const values = JSON.parse(shown) as (string | null)[]
    const faults = (JSON.parse(numbers) as (number | null)[])
      .filter((rule) => rule !== null)
      .map((rule) => said(reading.told[rule]!, values[rule] ?? null))
    const [first, ...more] = faults.map(({ column, rule, found, expected }): Fault => ({
      column,
      rule,
      reason: `found ${found}, expected ${expected}`,
    }))
    if (!first) return []
    const { found, expected } = faults[0]!
    const kept = record !== null && isKept(record) ? record : null
    return [{ row: no + 1, faults: [first, ...more], record: kept, found, expected }]
  })
}

/** A NaN within a nested value is no JSON. */
function isKept(record: string): boolean {
  if (record.length > RECORD_LENGTH) return false
  try {
    JSON.parse(record)
    return true
  } catch {
    return false
  }
}

function said(rule: Rule, value: string | null): Rule & { found: string } {
  return {
    ...rule,
    found: rule.found ?? (value === null ? 'a value that is not shown' : JSON.stringify(value)),
  }
}

/** How many rows may be left out of a file; `rows`: how many it has, as far as that is known. */
export function rejectLimit(figura: Pick<Figura, 'rejects'>, rows: number | null): number {
  const { maxRows, maxPercent } = rejectsOf(figura)
  const byPercent = maxPercent === null || rows === null ? Infinity : Math.floor((rows * maxPercent) / 100)
  return Math.min(maxRows ?? Infinity, byPercent)
}

/**
 * The error of a file with more rows to be left out than the figura allows. `rejects` are the first of them;
 * `rejected`, how many there are as far as the file was read.
 */
export function tooManyRejected(
  figura: Figura,
  { rows, rejected, rejects }: { rows: number | null; rejected: number; rejects: LeftOut[] },
): BulkError {
  const [first] = rejects
  const values = summary(rejects)
  const limit = rejectLimit(figura, rows)
  const many = `${rejected} row(s) that break a rule`
  if (limit > 0) {
    const { maxPercent } = rejectsOf(figura)
    const share = maxPercent === null ? '' : ` (${maxPercent} % of the rows)`
    const found = first ? `${many}, the first in row ${first.row} (${nameOf(first)}: ${first.found})` : many
    return new BulkError(
      'too_many_rejected',
      { subject: `The file for ${figura.name}`, found, expected: `at most ${limit}${share}` },
      { rejected, limit, values },
    )
  }
  const column = first?.faults[0].column
  return new BulkError(
    'value_refused',
    {
      subject: column ? `Column ${column}` : `The file for ${figura.name}`,
      found: first
        ? `${many}, the first in row ${first.row}: ${first.found} (${first.faults[0].rule})`
        : many,
      expected: first?.expected ?? 'values that fit',
    },
    { rejected, values },
  )
}

function nameOf({ faults: [{ column, rule }] }: LeftOut): string {
  return column === null ? rule : `${column}, ${rule}`
}

/** What the first rows break, by column and rule. */
function summary(rejects: Reject[]) {
  const found = new Map<
    string,
    { column: string | null; rule: string; count: number; first_row: number; reason: string }
  >()
  for (const { row, faults } of rejects)
    for (const { column, rule, reason } of faults) {
      const known = found.get(`${column}\n${rule}`)
      if (known) known.count++
      else found.set(`${column}\n${rule}`, { column, rule, count: 1, first_row: row, reason })
    }
  return [...found.values()]
}
