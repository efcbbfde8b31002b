import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type postgres from 'postgres'
import { spelledByDuckdb, spelledByPostgres } from '../../scripts/bench/spelling.ts'
import type { Figura } from '../../src/figura/types.ts'
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
  const inTable = columns.map(
    (column) => `coalesce(${spelledByPostgres(`"${column.name}"`, column.type)}, '~')`,
  )
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
  const inFile = columns.map((column) => `coalesce(${spelledByDuckdb(`"${column.from}"`, column.type)}, '~')`)
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
