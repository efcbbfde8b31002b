import type { ColumnType } from '../../src/figura/types.ts'

/**
 * The value as a text that spelledByDuckdb() spells alike: bits of floats, microseconds, hex of texts. Null stays null.
 */
export function spelledByPostgres(value: string, type: ColumnType): string {
  switch (type.kind) {
    case 'text':
    case 'varchar':
      return `encode(convert_to(${value}, 'UTF8'), 'hex')`
    case 'char':
      return `encode(convert_to(rtrim(${value}::text, ' '), 'UTF8'), 'hex')`
    case 'bytea':
      return `encode(${value}, 'hex')`
    case 'real':
      return `('x' || encode(float4send(${value}), 'hex'))::bit(32)::text`
    case 'double precision':
      return `('x' || encode(float8send(${value}), 'hex'))::bit(64)::text`
    case 'date':
      return finite(value, `(${value} - date '2000-01-01')`, 'text')
    case 'time':
      return `(extract(epoch from ${value}) * 1000000)::bigint::text`
    case 'timestamp':
    case 'timestamptz':
      return finite(value, `(extract(epoch from ${value}) * 1000000)::bigint`, 'text')
    case 'array': {
      const element = spelledByPostgres('e', type.of)
      return `(case when ${value} is null then null else
        (select '[' || coalesce(string_agg(coalesce(${element}, '~'), ',' order by n), '') || ']'
         from unnest(${value}) with ordinality as u(e, n)) end)`
    }
    default:
      return `${value}::text`
  }
}

/** The same for a column of a parquet file. Of jsonb it gives the text as it stands, which PostgreSQL spells anew. */
export function spelledByDuckdb(value: string, type: ColumnType): string {
  switch (type.kind) {
    case 'text':
    case 'varchar':
      return `lower(hex(encode(${value})))`
    case 'char':
      return `lower(hex(encode(rtrim(${value}, ' '))))`
    case 'bytea':
      return `lower(hex(${value}))`
    case 'real':
      return `(${value}::float)::bit::varchar`
    case 'double precision':
      return `(${value}::double)::bit::varchar`
    case 'date':
      return finite(value, `date_diff('day', date '2000-01-01', ${value})`, 'varchar')
    case 'time':
      return `epoch_us(${value}::time)::varchar`
    case 'timestamp':
      return finite(`${value}::timestamp`, `epoch_us(${value}::timestamp)`, 'varchar')
    case 'timestamptz':
      return finite(`${value}::timestamptz`, `epoch_us(${value}::timestamptz)`, 'varchar')
    case 'array':
      return `case when ${value} is null then null else
        '[' || array_to_string(list_transform(${value}, e -> coalesce(${spelledByDuckdb('e', type.of)}, '~')), ',')
        || ']' end`
    case 'numeric':
      // DuckDB leaves out the zero before the point where precision and scale are equal
      return `regexp_replace((${value}::decimal(${type.precision}, ${type.scale}))::varchar, '^(-?)\\.', '\\10.')`
    default:
      return `${value}::varchar`
  }
}

/** A day or an instant as a number; the infinite ones by their names. */
function finite(value: string, number: string, text: 'text' | 'varchar'): string {
  return `case when isfinite(${value}) then ${number}::${text} else (${value})::${text} end`
}
