import type { ColumnType } from '../figura/types.ts'
import { duckLiteral } from '../quote.ts'

/**
 * Rows from `rowStart` to `rowEnd` (exclusive, counted from 0 in the source file) that can be read. `relation`: what
 * stands after FROM; it has the file's columns, and file_row_number.
 */
export type LocalRows = { relation: string; rowStart: number; rowEnd: number }

/** A local parquet file as a relation; file_row_number makes DuckDB skip the row groups that are not asked for. */
export function parquetRelation(path: string): string {
  return `read_parquet(${duckLiteral(path)}, file_row_number = true)`
}

/** Names and types of a parquet file's columns. */
export function describeSql(path: string): string {
  const file = `read_parquet(${duckLiteral(path)})`
  return `select column_name as name, column_type as type from (describe select * from ${file})`
}

/** All nodes of the schema as it stands in the file, each before its children; the first is the root. */
export function schemaSql(path: string): string {
  return `select name, coalesce(num_children, 0)::integer as children from parquet_schema(${duckLiteral(path)})`
}

/**
 * For each leaf column of each row group: the rows of the group, the uncompressed bytes, and where its pages stand.
 * All as doubles, which hold any size exactly. 100 bytes more than stated are taken: old parquet-mr left the
 * dictionary page's header out of the size (PARQUET-816).
 */
export function columnChunksSql(path: string): string {
  return `
    select row_group_id::double, column_id::double, row_group_num_rows::double, total_uncompressed_size::double,
      start::double, (start + total_compressed_size + 100)::double
    from (
      select *, case when dictionary_page_offset > 0 then least(dictionary_page_offset, data_page_offset)
        else data_page_offset end as start
      from parquet_metadata(${duckLiteral(path)})
    )`
}

/** Rows of some columns. */
export function readRowsSql(rows: LocalRows, expressions: string[]): string {
  return `select ${expressions.join(', ')} ${fromRows(rows)}`
}

/** The rows alone. */
export function fromRows({ relation, rowStart, rowEnd }: LocalRows): string {
  return `from ${relation} where file_row_number between ${rowStart} and ${rowEnd - 1}`
}

/** The value, or an error of DuckDB when it has more bytes. A length is read without unpacking the text. */
export function guardLength({ expression, binary }: Text, maxBytes: number): string {
  const tooLarge = `${byteLength({ expression, binary })} > ${maxBytes}`
  return `case when ${tooLarge} then error(${duckLiteral(LARGE_VALUE)}) else ${expression} end`
}

/** The same rows, with that guard over columns of the file: whatever is worked out from them is guarded too. */
export function guardTexts(rows: LocalRows, texts: Text[], maxBytes: number): LocalRows {
  if (texts.length === 0) return rows
  const guarded = texts.map((text) => `${guardLength(text, maxBytes)} as ${text.expression}`)
  return { ...rows, relation: `(select * replace (${guarded.join(', ')}) from ${rows.relation})` }
}

/** A value of any length: text, or bytes. */
export type Text = { expression: string; binary: boolean }

function byteLength({ expression, binary }: Text): string {
  return binary ? `octet_length(${expression})` : `strlen(${expression})`
}

/** How many bytes the texts of a row have together, as a condition that it is not more than so many. */
export function areShort(texts: Text[], maxBytes: number): string {
  return `coalesce(list_sum([${texts.map(byteLength).join(', ')}]), 0) <= ${maxBytes}`
}

/** What that error says. */
export const LARGE_VALUE = 'a value is too large to be read with 2,048 others'

/**
 * An upper bound for the bytes of a row's texts: the sum of the longest of each column. Null when there are no
 * rows.
 */
export function largestRowSql(rows: LocalRows, texts: Text[]): string {
  // a list, since 1,000 terms of `+` are nested deeper than DuckDB allows
  const longest = texts.map((text) => `max(${byteLength(text)})`).join(', ')
  return `select list_sum([${longest}])::bigint as bytes ${fromRows(rows)}`
}

/** How keys are told apart: char(n) by its text without trailing blanks, as PostgreSQL does. */
export type KeyColumn = { name: string; expression: string; type: ColumnType }

/** The SQL of a key's hash, from the SQL of its columns. Keys that are equal must have equal hashes. */
export type KeyHash = (columns: string[]) => string

/** A hash of 64 bits for the key of each row, in the order of the rows; null where a part of the key is null. */
export function keyHashesSql(rows: LocalRows, keys: KeyColumn[], hash: KeyHash): string {
  return `
    select case when ${keys.map((key) => `(${key.expression}) is null`).join(' or ')} then null
      else (${hash(keys.map(comparable))})::ubigint end
    ${fromRows(rows)}`
}

/** The table that collects keys which may be repeated, with the rows where they stand. */
const COLLECTED = 'collected_keys'

/** Begins a new collection: of no keys, in columns such as the file's. */
export function beginCollectingSql({ relation }: LocalRows, keys: KeyColumn[]): string {
  const columns = keys.map((key, at) => `${comparable(key)} as k${at}`).join(', ')
  return `
    create or replace temp table ${COLLECTED} as
    select ${columns}, 0::bigint as times, 0::bigint as first, 0::bigint as last
    from ${relation} limit 0`
}

/** Which keys are collected: those with one of some hashes, or those whose hash falls into one of `parts` parts. */
export type Selected = { hashes: bigint[] } | { part: number; parts: number }

/** Collects keys of some rows. */
export function collectKeysSql(
  rows: LocalRows,
  keys: KeyColumn[],
  { hash, selected }: { hash: KeyHash; selected: Selected },
): string {
  const columns = keys.map((key, at) => `${comparable(key)} as k${at}`).join(', ')
  const names = keys.map((_, at) => `k${at}`)
  const kept = keys.map(({ type }, at) => `${shortened(`k${at}`, type)} as k${at}`)
  const hashed = `(${hash(names)})::ubigint`
  const condition =
    'hashes' in selected
      ? `${hashed} in (${selected.hashes.join(', ')})`
      : `${hashed} % ${selected.parts} = ${selected.part}`
  return `
    insert into ${COLLECTED}
    select ${kept.join(', ')}, count(*), min(no), max(no)
    from (select ${columns}, file_row_number as no ${fromRows(rows)})
    where ${condition} group by all`
}

/** Counts the keys that were collected from more than one row, and their rows; the first five are shown. */
export function repeatedKeysSql(keys: KeyColumn[]): string {
  const names = keys.map((_, at) => `k${at}`).join(', ')
  const shown = keys.map((key, at) => `${duckLiteral(key.name)}: left(k${at}::varchar, 100)`).join(', ')
  const example = `{key: {${shown}}, times: times, first_row: first + 1, last_row: last + 1}`
  return `
    with repeated as (
      select ${names}, sum(times)::bigint as times, min(first) as first, max(last) as last
      from ${COLLECTED} group by ${names} having sum(times) > 1
    )
    select count(*)::bigint as keys, coalesce(sum(times), 0)::bigint as "rows",
      to_json(list(${example} order by first)[1:5])::varchar as examples
    from repeated`
}

/** Forgets what was collected. */
export function endCollectingSql(): string {
  return `drop table if exists ${COLLECTED}`
}

/**
 * The least and the greatest value of a column of whole numbers in each row group, in order; null where the footer
 * does not say. The old fields, `stats_min` and `stats_max`, are not asked: some writers compared them as bytes.
 */
export function wholeNumberStatsSql(path: string, column: string): string {
  return `
    select try_cast(stats_min_value as hugeint) as least, try_cast(stats_max_value as hugeint) as greatest
    from parquet_metadata(${duckLiteral(path)})
    where path_in_schema = ${duckLiteral(column)} order by row_group_id`
}

/** Of a long text no more is collected than what is shown of it, and a digest: keys of 1 MB took 5.8 GB. */
function shortened(value: string, { kind }: ColumnType): string {
  const digest = `sha256(${value})`
  const shortOr = (length: string, long: string) =>
    `case when ${length} > 1024 then ${long} else ${value} end`
  switch (kind) {
    case 'text':
    case 'varchar':
    case 'char':
      return shortOr(`strlen(${value})`, `left(${value}, 100) || chr(0) || ${digest}`)
    case 'bytea':
      return shortOr(`octet_length(${value})`, `cast(${digest} as BLOB)`)
    default:
      return value
  }
}

function comparable(key: KeyColumn): string {
  return key.type.kind === 'char' ? `rtrim(${key.expression}, ' ')` : key.expression
}
