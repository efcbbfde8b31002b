import type { Transaction } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import { loadOf } from '../figura/types.ts'
import { FILE_ROWS } from './sql.ts'
import type { Loading } from './sql-merge.ts'
import { dropDuplicatesSql, nullKeysSql, repeatedKeysSql } from './sql-merge-keys.ts'

/**
 * Sees to it that each key stands in a stage once, as the figura wants it: by refusing the file, or by taking the
 * rows out that do not count. A stage whose rows are not numbered was looked at before it was filled.
 * @returns the number of rows that were taken out
 * @throws BulkError `key_null` or `key_repeated`, with the count and the first rows (counted from 1)
 */
export async function settleKeys(tx: Transaction, load: Loading, rows: string): Promise<number> {
  const { figura, mode } = load
  if (!load.numbered || mode === 'append' || figura.key.length === 0) return 0
  const [nulls] = await tx.unsafe<{ count: number; places: number[] }[]>(nullKeysSql(load, rows))
  if (nulls && nulls.count > 0) throw nullKeys(load, nulls)
  if (loadOf(figura).duplicates !== 'refuse') {
    const { count } = await tx.unsafe(dropDuplicatesSql(load, rows))
    return count
  }
  const [repeated] = await tx.unsafe<Repeated[]>(repeatedKeysSql(load, rows))
  if (repeated && repeated.keys > 0) throw repeatedKeys(load, repeated)
  return 0
}

type Repeated = {
  keys: number
  rows: number
  examples: { key: Record<string, unknown>; times: number; first_place: number; last_place: number }[]
}

/** Where a row stands, its file by its place in `files` of the status; in words that is told if it is not the first. */
function placeOf(place: number): { row: number; file: number; said: string } {
  const file = Math.floor(place / FILE_ROWS)
  const row = (place % FILE_ROWS) + 1
  return { row, file, said: file === 0 ? String(row) : `${row} of files[${file}]` }
}

function nullKeys({ figura }: Loading, { count, places }: { count: number; places: number[] }): BulkError {
  const first = places.map((place) => placeOf(Number(place)))
  const files = first.some(({ file }) => file > 0) ? { first_files: first.map(({ file }) => file) } : {}
  return new BulkError(
    'key_null',
    {
      subject: `Key (${figura.key.join(', ')})`,
      found: `${count} row(s) where it is null, the first in row ${first.map(({ said }) => said).join(', ')}`,
      expected: 'none',
    },
    { columns: figura.key, count, first_rows: first.map(({ row }) => row), ...files },
  )
}

function repeatedKeys({ figura }: Loading, { keys, rows, examples: found }: Repeated): BulkError {
  const places = found.map((one) => ({
    ...one,
    first: placeOf(one.first_place),
    last: placeOf(one.last_place),
  }))
  const shown = places.map(
    ({ key, first, last }) => `${Object.values(key).join('/')} in rows ${first.said} and ${last.said}`,
  )
  const examples = places.map(({ key, times, first, last }) => ({
    key,
    times,
    first_row: first.row,
    last_row: last.row,
    ...(last.file > 0 ? { first_file: first.file, last_file: last.file } : {}),
  }))
  return new BulkError(
    'key_repeated',
    {
      subject: `Key (${figura.key.join(', ')})`,
      found: `${keys} key(s) that stand in ${rows} rows (${shown.join('; ')})`,
      expected: 'each key once',
    },
    { columns: figura.key, count: keys, rows, examples },
  )
}
