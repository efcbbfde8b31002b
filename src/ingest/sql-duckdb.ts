import type { ColumnType } from '../figura/types.ts'
import { duckLiteral } from '../quote.ts'

/** Names and types of a parquet file's columns. */
export function describeSql(path: string): string {
  const file = `read_parquet(${duckLiteral(path)})`
  return `select column_name as name, column_type as type from (describe select * from ${file})`
}

/** All nodes of the schema as it stands in the file, each before its children; the first is the root. */
export function schemaSql(path: string): string {
  return `select name, coalesce(num_children, 0)::integer as children from parquet_schema(${duckLiteral(path)})`
}

/** Rows and uncompressed bytes of each row group, in order. */
export function rowGroupsSql(path: string): string {
  return `
    select any_value(row_group_num_rows)::bigint as rows, sum(total_uncompressed_size)::bigint as bytes
    from parquet_metadata(${duckLiteral(path)})
    group by row_group_id order by row_group_id`
}

/**
 * Where the pages of some columns stand, for the row groups first..last (inclusive). A column of structs or lists
 * has one path per leaf, which begins with the column's name. 100 bytes more than stated are taken: old parquet-mr
 * left the dictionary page's header out of the size (PARQUET-816).
 */
export function columnRangesSql(
  path: string,
  { first, last, columns }: { first: number; last: number; columns: string[] },
): string {
  const roots = columns
    .map(
      (name) =>
        `path_in_schema = ${duckLiteral(name)} or starts_with(path_in_schema, ${duckLiteral(`${name}, `)})`,
    )
    .join(' or ')
  return `
    with pages as (
      select
        case when dictionary_page_offset > 0 then least(dictionary_page_offset, data_page_offset)
             else data_page_offset end as start,
        total_compressed_size as bytes
      from parquet_metadata(${duckLiteral(path)})
      where row_group_id between ${first} and ${last} and (${roots})
    )
    select start::bigint as start, (start + bytes + 100)::bigint as "end" from pages order by start`
}

/** Rows of some columns; file_row_number makes DuckDB skip the other row groups. */
export function readRowsSql(
  path: string,
  { expressions, rowStart, rowEnd }: { expressions: string[]; rowStart: number; rowEnd: number },
): string {
  return `
    select ${expressions.join(', ')}
    from read_parquet(${duckLiteral(path)}, file_row_number = true)
    where file_row_number between ${rowStart} and ${rowEnd - 1}`
}

/** The value, or an error of DuckDB when it has more bytes. A length is read without unpacking the text. */
export function guardLength({ expression, binary }: Text, maxBytes: number): string {
  const tooLarge = `${byteLength({ expression, binary })} > ${maxBytes}`
  return `case when ${tooLarge} then error(${duckLiteral(LARGE_VALUE)}) else ${expression} end`
}

/** A value of any length: text, or bytes. */
export type Text = { expression: string; binary: boolean }

function byteLength({ expression, binary }: Text): string {
  return binary ? `octet_length(${expression})` : `strlen(${expression})`
}

/** What that error says. */
export const LARGE_VALUE = 'a value is too large to be read with 2,048 others'

/**
 * An upper bound for the bytes of a row's texts: the sum of the longest of each column. Null when there are no
 * rows.
 */
export function largestRowSql(
  path: string,
  { texts, rowStart, rowEnd }: { texts: Text[]; rowStart: number; rowEnd: number },
): string {
  // a list, since 1,000 terms of `+` are nested deeper than DuckDB allows
  const longest = texts.map((text) => `max(${byteLength(text)})`).join(', ')
  return `
    select list_sum([${longest}])::bigint as bytes
    from read_parquet(${duckLiteral(path)}, file_row_number = true)
    where file_row_number between ${rowStart} and ${rowEnd - 1}`
}

/** How keys are told apart: char(n) by its text without trailing blanks, as PostgreSQL does. */
export type KeyColumn = { name: string; expression: string; type: ColumnType }

/** Counts the rows whose key is null in some column, with the first of them. */
export function nullKeysSql(path: string, keys: KeyColumn[]): string {
  return `
    select count(*)::bigint as count, min(file_row_number, 5) as "rows"
    from read_parquet(${duckLiteral(path)}, file_row_number = true)
    where ${keys.map((key) => `(${key.expression}) is null`).join(' or ')}`
}

/**
 * Counts the keys that stand in more than one row, among the keys whose hash falls into one of `parts` parts: a
 * part at a time keeps the memory bounded however many rows there are.
 */
export function repeatedKeysSql(
  path: string,
  keys: KeyColumn[],
  { part, parts }: { part: number; parts: number },
): string {
  const columns = keys.map((key, at) => `${comparable(key)} as k${at}`).join(', ')
  const names = keys.map((_, at) => `k${at}`).join(', ')
  const shown = keys.map((key, at) => `${duckLiteral(key.name)}: left(k${at}::varchar, 100)`).join(', ')
  const example = `{key: {${shown}}, times: times, first_row: first + 1, last_row: last + 1}`
  return `
    with keys as (
      select ${columns}, file_row_number as no from read_parquet(${duckLiteral(path)}, file_row_number = true)
    ), repeated as (
      select ${names}, count(*) as times, min(no) as first, max(no) as last
      from keys ${parts > 1 ? `where hash(${names}) % ${parts} = ${part}` : ''}
      group by ${names} having count(*) > 1
    )
    select count(*)::bigint as keys, coalesce(sum(times), 0)::bigint as "rows",
      to_json(list(${example} order by first)[1:5])::varchar as examples
    from repeated`
}

function comparable(key: KeyColumn): string {
  return key.type.kind === 'char' ? `rtrim(${key.expression}, ' ')` : key.expression
}

/** For each refusal: how many values of the rows it holds for, and the first row of them. */
export function refusedValuesSql(
  path: string,
  { refusals, rowStart, rowEnd }: { refusals: string[]; rowStart: number; rowEnd: number },
): string {
  const counts = refusals.map(
    (refusal, at) =>
      `count(*) filter (where ${refusal})::bigint as count${at}, ` +
      `min(file_row_number) filter (where ${refusal})::bigint as first${at}`,
  )
  return `
    select ${counts.join(', ')}
    from read_parquet(${duckLiteral(path)}, file_row_number = true)
    where file_row_number between ${rowStart} and ${rowEnd - 1}`
}
