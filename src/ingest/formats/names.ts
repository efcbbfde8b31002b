import { BulkError } from '../../errors.ts'
import type { FileColumn } from '../fit.ts'

/**
 * Columns by the names that a file has for them, each with a name of its own for DuckDB, which does not tell upper
 * from lower case: the second of `id` and `ID` is called `ID_1`, as DuckDB itself does it.
 * @throws BulkError `file_corrupt` for a name that no SQL can say
 */
export function nameColumns<T extends { type: string; loose?: boolean }>(
  columns: (T & { written: string })[],
): (T & FileColumn & { written: string })[] {
  const taken = new Set<string>()
  return columns.map((column, at) => {
    const { written } = column
    if (written.includes('\0')) {
      const subject = `Column ${at + 1} of the file`
      throw new BulkError('file_corrupt', {
        subject,
        found: 'a name with a NUL',
        expected: 'a name without it',
      })
    }
    const plain = written || `column${at + 1}`
    let name = plain
    for (let no = 1; taken.has(name.toLowerCase()); no++) name = `${plain}_${no}`
    taken.add(name.toLowerCase())
    return { ...column, name, written }
  })
}
