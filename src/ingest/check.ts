import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import type { SourceFile } from '../source/source.ts'
import { keysRise } from './rising.ts'
import { type KeyFile, type KeyFindings, readKeys, readRepeated, type RepeatedKeys } from './keys.ts'

/**
 * Looks at the keys of the whole file: none may be null or stand in it twice. Done on the key's columns alone, so that
 * PostgreSQL need not sort the stage for it.
 * @throws BulkError `key_null` or `key_repeated`, with the count and the first rows (counted from 1)
 */
export async function checkKeys(keys: KeyFile): Promise<void> {
  if (await keysRise(keys)) return
  const { nulls, repeated } = await readKeys(keys)
  if (nulls.count > 0) {
    // a text that is no value of the type is null here too: which of them it is, the rows themselves are asked
    if (isReadFromText(keys)) return
    throw nullKeys(keys, nulls)
  }
  if (repeated !== 'many' && repeated.length === 0) return
  const found = await readRepeated(keys, repeated)
  if (found.keys > 0) throw repeatedKeys(keys, found)
}

function isReadFromText({ figura, file }: KeyFile): boolean {
  return file.columns.some(({ column, read }) => read !== undefined && figura.key.includes(column.name))
}

function nullKeys({ figura }: KeyFile, { count, rows }: KeyFindings['nulls']): BulkError {
  const firstRows = rows.map((row) => row + 1)
  return new BulkError(
    'key_null',
    {
      subject: `Key (${figura.key.join(', ')})`,
      found: `${count} row(s) where it is null, the first in row ${firstRows.join(', ')}`,
      expected: 'none',
    },
    { columns: figura.key, count, first_rows: firstRows },
  )
}

function repeatedKeys({ figura }: KeyFile, { keys, rows, examples: found }: RepeatedKeys): BulkError {
  const examples = found.map((one) => ({ ...one, key: hidden(figura, one.key) }))
  const shown = examples.map(
    (one) => `${Object.values(one.key).join('/')} in rows ${one.first_row} and ${one.last_row}`,
  )
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

/** A key as it may be shown: without the values of columns that are sensitive. */
function hidden(figura: Figura, key: Record<string, string>): Record<string, string> {
  const secret = figura.columns.filter(({ sensitive }) => sensitive).map(({ name }) => name)
  return Object.fromEntries(
    Object.entries(key).map(([name, value]) => [name, secret.includes(name) ? '…' : value]),
  )
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
