import { duckLiteral, quote } from '../quote.ts'
import { jsonObject } from './fit-types.ts'
import type { Reading, Rule } from './rules.ts'
import { areShort, fromRows, type LocalRows } from './sql-duckdb.ts'
import { writtenJson, writtenText } from './sql-written.ts'

/** The values of a row, each changed by `as`; then, where rows may be left out, the number of the row in its file. */
export function valuesSql(
  rows: LocalRows,
  reading: Reading,
  as: (value: string, column: number) => string = (value) => value,
): string {
  const { columns, rules } = reading
  if (rules.length === 0)
    return `select ${columns.map(({ expression }, at) => as(expression, at)).join(', ')} ${fromRows(rows)}`
  const values = columns.map((_, at) => as(`_bulk_c${at}`, at))
  return `select ${[...values, '_bulk_no'].join(', ')} from ${keptSql(rows, reading)}`
}

/** How many rows break a rule of all that a row may be told of. */
export function countLeftOutSql(rows: LocalRows, reading: Reading): string {
  return `select count(*)::bigint as "rows" from ${selectedSql(rows, reading)} where ${broken(reading.told)}`
}

/**
 * Rows that break a rule, in order: the numbers of the rules, the values that may be shown, the row as JSON. That one
 * is not made of texts that have more than `recordBytes` together: 2,048 records of 1 MB were made for one to be cut.
 */
export function brokenRowsSql(
  rows: LocalRows,
  reading: Reading,
  { limit, recordBytes }: { limit: number; recordBytes: number },
): string {
  const { told: rules } = reading
  const numbers = rules.map(({ breaks }, no) => `case when ${breaks} then ${no} end`)
  const shown = rules.map(
    ({ breaks, shown: value }) => `case when ${breaks} then left(${value ?? 'null'}, 200) end`,
  )
  return `
    select _bulk_no::double as no, to_json([${numbers.join(', ')}])::varchar as numbers,
      to_json([${shown.join(', ')}]::varchar[])::varchar as shown, _bulk_record as record
    from ${selectedSql(rows, reading, recordBytes)} where ${broken(rules)} order by _bulk_no limit ${limit}`
}

/** For each rule: how many rows break it of those that are not left out, and the first of them. */
export function countBrokenSql(rows: LocalRows, reading: Reading, rules: Rule[]): string {
  const counts = rules.map(
    ({ breaks }, no) =>
      `count(*) filter (where ${breaks})::bigint as count${no}, ` +
      `min(_bulk_no) filter (where ${breaks})::bigint as first${no}`,
  )
  return `select ${counts.join(', ')} from ${keptSql(rows, reading)}`
}

/** How many rows are not left out, and the number of the one that is at a place among them, counted from 1. */
export function keptRowSql(rows: LocalRows, reading: Reading, place: number): string {
  return `
    select max(place)::double as kept, max(_bulk_no) filter (where place = ${place})::double as no
    from (select _bulk_no, row_number() over (order by _bulk_no) as place from ${keptSql(rows, reading)})`
}

/** What stands after FROM for the rows that are not left out. */
function keptSql(rows: LocalRows, reading: Reading): string {
  const kept = reading.rules.length === 0 ? '' : ` where not (${broken(reading.rules)})`
  return `${selectedSql(rows, reading)}${kept}`
}

/** The number of rows. */
export function countRowsSql(rows: LocalRows): string {
  return `select count(*)::bigint as "rows" ${fromRows(rows)}`
}

/** All that rules speak of, as a relation; what a query does not name of it is not computed. */
function selectedSql(rows: LocalRows, { columns, named, recorded, texts }: Reading, recordBytes = 0): string {
  const values = columns.flatMap(({ column, sources, expression, read }, at) => [
    `${expression} as _bulk_c${at}`,
    `${toldText(column.expr === undefined ? sources : [], expression, recorded)} as _bulk_s${at}`,
    ...(read ? [`${read.text} as _bulk_t${at}`, `${read.value} as _bulk_x${at}`] : []),
  ])
  const names = named.map(({ name, value }) => `${value} as ${quote(name)}`)
  const record = jsonObject(
    recorded.map((column) => ({ ...column, key: column.name })),
    writtenJson,
  )
  const kept = texts.length > 0 ? `case when ${areShort(texts, recordBytes)} then ${record} end` : record
  const all = [...values, ...names, `${kept} as _bulk_record`, 'file_row_number as _bulk_no']
  return `(select ${all.join(', ')} ${fromRows(rows)})`
}

/** A value as text: where it comes from one column as it is, with the letters of the file, as its record has it. */
function toldText([source, other]: string[], expression: string, recorded: Reading['recorded']): string {
  const value = `cast(${expression} as VARCHAR)`
  const written = other === undefined ? recorded.find(({ name }) => name === source) : undefined
  return written ? `coalesce(${writtenText(written)}, ${value})` : value
}

function broken(rules: Rule[]): string {
  return rules.map(({ breaks }) => `coalesce(${breaks}, false)`).join(' or ')
}

/** How DuckDB parses an expression, as JSON; nothing is carried out. */
export function expressionTreeSql(expression: string): string {
  return `select json_serialize_sql(${duckLiteral(`select (${expression})`)}) as tree`
}

/**
 * The type of an expression over such columns, in the second row. Beside a plain column there can stand no sum, and no
 * count: over rows an expression of a figura says nothing.
 */
export function expressionTypeSql(expression: string, columns: { name: string; type: string }[]): string {
  const nulls = columns.map(({ name, type }) => `null::${type} as ${quote(name)}`)
  const relation = `(select ${[...nulls, '0 as _bulk_no'].join(', ')})`
  return `select column_type as type from (describe select _bulk_no, (${expression}) from ${relation})`
}
