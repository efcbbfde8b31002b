import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import type { SourceFile } from '../source/source.ts'
import type { FittedColumn } from './fit.ts'
import { nullKeysSql, repeatedKeysSql, type KeyColumn } from './sql-duckdb.ts'

/** Keys that are looked at in one pass. A pass holds a hash table of them: about 100 bytes a key, so 200 MB. */
const KEYS_PER_PASS = 2_000_000

/**
 * Looks at the keys of the whole file: none may be null or stand in it twice. DuckDB does it on the key's columns
 * alone, so that PostgreSQL need not sort the stage for it.
 * @throws BulkError `key_null` or `key_repeated`, with the count and the first rows (counted from 1)
 */
export async function checkKeys(
  duckdb: Duckdb,
  path: string,
  { figura, columns, rows }: { figura: Figura; columns: FittedColumn[]; rows: number },
): Promise<void> {
  const keys = keyColumns(figura, columns)
  const name = figura.key.join(', ')
  const [nulls] = await duckdb.query<{ count: bigint; rows: bigint[] | null }>(nullKeysSql(path, keys))
  if (nulls && nulls.count > 0n) {
    const firstRows = (nulls.rows ?? []).map((row) => Number(row) + 1)
    throw new BulkError(
      'key_null',
      {
        subject: `Key (${name})`,
        found: `${nulls.count} row(s) where it is null, the first in row ${firstRows.join(', ')}`,
        expected: 'none',
      },
      { columns: figura.key, count: Number(nulls.count), first_rows: firstRows },
    )
  }

  const parts = Math.max(1, Math.ceil(rows / KEYS_PER_PASS))
  const found = { keys: 0, rows: 0, examples: [] as RepeatedKey[] }
  for (let part = 0; part < parts; part++) {
    const [repeated] = await duckdb.query<{ keys: bigint; rows: bigint; examples: string | null }>(
      repeatedKeysSql(path, keys, { part, parts }),
    )
    if (!repeated) continue
    found.keys += Number(repeated.keys)
    found.rows += Number(repeated.rows)
    found.examples.push(...(JSON.parse(repeated.examples ?? '[]') ?? []))
  }
  if (found.keys === 0) return
  const examples = found.examples.sort((a, b) => a.first_row - b.first_row).slice(0, 5)
  const shown = examples.map(
    (one) => `${Object.values(one.key).join('/')} in rows ${one.first_row} and ${one.last_row}`,
  )
  throw new BulkError(
    'key_repeated',
    {
      subject: `Key (${name})`,
      found: `${found.keys} key(s) that stand in ${found.rows} rows (${shown.join('; ')})`,
      expected: 'each key once',
    },
    { columns: figura.key, count: found.keys, rows: found.rows, examples },
  )
}

type RepeatedKey = { key: Record<string, string>; times: number; first_row: number; last_row: number }

/** The columns of the file that make up the key. */
function keyColumns(figura: Figura, columns: FittedColumn[]): KeyColumn[] {
  return columns
    .filter(({ column }) => figura.key.includes(column.name))
    .map(({ column, expression }) => ({ name: column.name, expression, type: column.type }))
}

/**
 * Compares the SHA-256 of the whole file with the announced one, by one streaming pass that keeps nothing.
 * @throws BulkError `sha256_differs`
 */
export async function checkDigest(file: SourceFile, sha256: string, signal: AbortSignal): Promise<void> {
  const hash = new Bun.CryptoHasher('sha256')
  if (file.tailStart === 0) hash.update(file.tail)
  else for await (const bytes of file.stream(signal)) hash.update(bytes)
  const found = hash.digest('hex')
  if (found === sha256) return
  throw new BulkError(
    'sha256_differs',
    { subject: 'The SHA-256 of the file', found, expected: sha256 },
    { found, expected: sha256 },
  )
}
