import type { InProcess } from '../support/in-process.ts'
import type { Dice } from './dice.ts'
import type { FileRow, Sent } from './model.ts'

/** DuckDB's types of the columns that a file may have. */
const TYPES: Record<keyof FileRow, string> = {
  id: 'bigint',
  grupo: 'smallint',
  nome: 'varchar',
  n: 'integer',
  versao: 'integer',
  criado: 'varchar',
  excluido: 'boolean',
}

let number = 0

/** Writes what is sent as one file or as several, in any of the formats; gives their paths. */
export async function writeSent(at: InProcess, dice: Dice, sent: Sent): Promise<string[]> {
  const names = (Object.keys(TYPES) as (keyof FileRow)[]).filter(
    (name) => !sent.lacks.some((one) => one === name),
  )
  const cut = dice.chance(0.2) ? dice.below(sent.rows.length + 1) : null
  const parts = cut === null ? [sent.rows] : [sent.rows.slice(0, cut), sent.rows.slice(cut)]
  const paths: string[] = []
  for (const rows of parts)
    paths.push(await writePart(at, dice.one(['parquet', 'parquet', 'parquet', 'csv', 'ndjson']), names, rows))
  return paths
}

function writePart(
  at: InProcess,
  format: 'parquet' | 'csv' | 'ndjson',
  names: (keyof FileRow)[],
  rows: FileRow[],
): Promise<string> | string {
  const file = `modelo${number++}`
  const pick = (row: FileRow) => names.map((name) => row[name])
  if (format === 'csv') {
    const lines = rows.map((row) =>
      pick(row)
        .map((value) => value ?? '')
        .join(','),
    )
    return at.put(file, `${[names.join(','), ...lines].join('\n')}\n`)
  }
  // the fields of an NDJSON file are told by its lines
  if (format === 'ndjson' && rows.length > 0) {
    const lines = rows.map((row) =>
      JSON.stringify(Object.fromEntries(names.map((name) => [name, row[name]]))),
    )
    return at.put(file, `${lines.join('\n')}\n`)
  }
  const columns = names.map((name, no) => `col${no}::${TYPES[name]} as ${name}`).join(', ')
  const values = rows.length
    ? rows.map((row) => `(${pick(row).map(literal).join(', ')})`).join(', ')
    : nothing(names)
  return at.write(file, `select ${columns} from (values ${values}) t${rows.length ? '' : ' where false'}`)
}

function nothing(names: string[]): string {
  return `(${names.map(() => 'null').join(', ')})`
}

function literal(value: FileRow[keyof FileRow]): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
}
