import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type postgres from 'postgres'
import type { ColumnType, Figura } from '../../src/figura/types.ts'
import { duck, rowsOf } from './parquet.ts'

/**
 * Compares a table with DuckDB's own reading of the file, value by value: each side puts a row into one text that
 * both spell alike (bits of floats, microseconds, hex of bytes), and EXCEPT is asked both ways. `rows` are the
 * table's; `different` names the columns of the first row that differs.
 */
export async function compareTable(
  sql: postgres.Sql,
  figura: Figura,
  { file, folder }: { file: string; folder: string },
): Promise<{ rows: number; onlyInFile: unknown[]; onlyInTable: unknown[]; different: unknown[] }> {
  const { columns, table } = figura
  const inTable = columns.map((column) => `coalesce(${postgresText(`"${column.name}"`, column.type)}, '~')`)
  const csv = join(folder, `${figura.name}-${crypto.randomUUID()}.csv`)
  // 5,000 lines to a row: postgres.js takes 20 µs for each row that arrives
  const lines = sql.unsafe(`
    select string_agg(hash || ',' || key, E'\\n') || E'\\n' as text from (
      select md5(concat_ws('|', ${inTable.join(', ')})) as hash, "${figura.key[0]}" as key, row_number() over () as n
      from "${table.schema}"."${table.name}"
    ) t group by n / 5000`)
  const out = createWriteStream(csv)
  for await (const batch of lines.cursor(20)) for (const { text } of batch) out.write(text)
  await new Promise((resolve) => out.end(resolve))

  const connection = await duck()
  const inFile = columns.map((column) => `coalesce(${duckText(`"${column.from}"`, column.type)}, '~')`)
  await connection.run(`
    create or replace temp table in_table as
    select * from read_csv('${csv}', header = false, all_varchar = true, names = ['hash', 'key'])`)
  await connection.run(`
    create or replace temp table in_file as
    select md5(concat_ws('|', ${inFile.join(', ')})) as hash, "${figura.key[0]}"::varchar as key
    from read_parquet('${file}')`)
  const [count] = await rowsOf(connection, `select count(*) as rows from in_table`)
  const onlyInFile = await rowsOf(
    connection,
    `select hash, key from in_file except all select hash, key from in_table limit 5`,
  )
  const onlyInTable = await rowsOf(
    connection,
    `select hash, key from in_table except all select hash, key from in_file limit 5`,
  )
  const key = onlyInFile[0]?.key ?? onlyInTable[0]?.key
  if (key !== undefined) {
    const list = (texts: string[]) =>
      columns.map((column, at) => `${texts[at]} as "${column.name}"`).join(', ')
    const [there] = await sql.unsafe(
      `select ${list(inTable)} from "${table.schema}"."${table.name}" where "${figura.key[0]}" = ${key}`,
    )
    const [here] = await rowsOf(
      connection,
      `select ${list(inFile)} from read_parquet('${file}') where "${figura.key[0]}" = ${key}`,
    )
    const different = columns.filter(({ name }) => there?.[name] !== here?.[name])
    const shown = different.map(({ name, type }) => ({
      key,
      name,
      type,
      file: here?.[name],
      table: there?.[name],
    }))
    connection.closeSync()
    return { rows: Number(count?.rows), onlyInFile, onlyInTable, different: shown }
  }
  connection.closeSync()
  return { rows: Number(count?.rows), onlyInFile, onlyInTable, different: [] }
}

function postgresText(value: string, type: ColumnType): string {
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
      const element = postgresText('e', type.of)
      return `(case when ${value} is null then null else
        (select '[' || coalesce(string_agg(coalesce(${element}, '~'), ',' order by n), '') || ']'
         from unnest(${value}) with ordinality as u(e, n)) end)`
    }
    default:
      return `${value}::text`
  }
}

function duckText(value: string, type: ColumnType): string {
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
        '[' || array_to_string(list_transform(${value}, e -> coalesce(${duckText('e', type.of)}, '~')), ',') || ']' end`
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
