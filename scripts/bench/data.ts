import { MAIN_COLUMNS, type DataColumn } from './data-main.ts'
import { NESTED_COLUMNS, NUMBER_COLUMNS, TEXT_COLUMNS, WIDE_COLUMNS } from './data-shapes.ts'
import { quote } from '../../src/quote.ts'

/** A file to be: a figura of the same name, and the DuckDB query that gives its rows, always the same for a seed. */
export type Dataset = { name: string; title: string; rows: number; columns: DataColumn[]; select: string }

/** The shape that most rows of the table are about: 13 columns, ids ascending with gaps, about 220 bytes a row. */
export function mainData(name: string, rows: number, seed: number, firstRow = 0): Dataset {
  const last = firstRow + rows
  const from = `(select i, 0 as version, ${seed} as seed from range(${firstRow}, ${last}) t(i))`
  return dataset(name, '13 columns', rows, MAIN_COLUMNS, from)
}

/** The same file some time later: one row in ten has changed, and one in twenty is new, with an id after the others. */
export function laterData(name: string, rows: number, seed: number): Dataset {
  const all = rows + Math.floor(rows / 20)
  const changed = `case when i < ${rows} and hash(hash(i, ${seed}, 'changed')) % 10 = 0 then 1 else 0 end`
  const from = `(select i, ${changed} as version, ${seed} as seed from range(${all}) t(i))`
  return dataset(name, '10 % changed, 5 % new', all, MAIN_COLUMNS, from)
}

/**
 * Files of other shapes. Their lengths are shares of the main file's, so that a run of each takes two to five seconds
 * where the main file takes eight.
 */
export function shapes(rows: number, seed: number): Dataset[] {
  const make = (name: string, title: string, share: number, columns: DataColumn[]) => {
    const count = Math.max(100, Math.round(rows * share))
    const from = `(select i, 0 as version, ${seed} as seed from range(${count}) t(i))`
    return dataset(name, title, count, columns, from)
  }
  return [
    make('wide', '100 columns', 0.08, WIDE_COLUMNS),
    make('texts', 'texts of 2 kB', 0.06, TEXT_COLUMNS),
    make('nested', 'nested: jsonb, arrays', 0.15, NESTED_COLUMNS),
    make('numbers', 'numeric-heavy', 0.25, NUMBER_COLUMNS),
  ]
}

/** The figura that a dataset is loaded by: table bench.<name>, files from one bucket. */
export function figuraYaml({ name, title, columns }: Dataset, bucket: string): string {
  const lines = columns.map(
    ({ name, type, required }) => `  ${name}: { type: '${type}'${required ? ', required: true' : ''} }`,
  )
  return `description: ${JSON.stringify(title)}
table: bench.${name}
key: [id]
columns:
${lines.join('\n')}
load:
  mode: merge
sources: ['s3://${bucket}/']
`
}

function dataset(name: string, title: string, rows: number, columns: DataColumn[], from: string): Dataset {
  const list = columns.map((column) => `${column.sql} as ${quote(column.name)}`)
  return { name, title, rows, columns, select: `select ${list.join(', ')} from ${from}` }
}
