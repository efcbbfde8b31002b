import type { DuckDBConnection } from '@duckdb/node-api'
import type postgres from 'postgres'
import { parseType } from '../../src/figura/type-names.ts'
import { duckLiteral, quote } from '../../src/quote.ts'
import type { DataColumn } from './data-main.ts'
import { rowsOf } from './duck.ts'
import { spelledByDuckdb, spelledByPostgres } from './spelling.ts'

/** Ids that are compared as one: about 20,000 rows. Where they differ, they are looked at one by one. */
const IDS_PER_PART = 60_000

const TEXTS = ['text', 'varchar', 'char']

type Compared = {
  sql: postgres.Sql
  duck: DuckDBConnection
  table: string
  files: string
  columns: DataColumn[]
}

/**
 * Compares a table with DuckDB's own reading of the files it was loaded from, value by value, both ways: each side
 * puts a row into one text that both spell alike, and sums the digests of the rows by ranges of ids, in its own
 * processes. The memory that it takes does not grow with the table.
 * @returns what differs first, or null when nothing does
 */
export async function compare(compared: Compared): Promise<string | null> {
  const [table, files] = await Promise.all([
    partsOf(digestsOfTable(compared, ''), (query) => askUnsorted(compared.sql, query)),
    partsOf(digestsOfFiles(compared, ''), (query) => rowsOf(compared.duck, query)),
  ])
  const part = [...new Set([...table.keys(), ...files.keys()])].find(
    (one) => table.get(one) !== files.get(one),
  )
  return part === undefined ? null : firstDifference(compared, part)
}

/** Rows and the sum of their digests, for each range of ids. */
async function partsOf(
  digests: string,
  ask: (query: string) => Promise<Iterable<Record<string, unknown>>>,
): Promise<Map<string, string>> {
  const rows = await ask(`
    select floor(id / ${IDS_PER_PART}.0)::bigint as part, count(*)::bigint as rows, sum(digest)::text as sum
    from (${digests}) d group by 1`)
  return new Map([...rows].map(({ part, rows: count, sum }) => [String(part), `${count} ${sum}`]))
}

/** PostgreSQL would sort all rows to put them together, since it cannot know how few ranges there are. */
function askUnsorted(sql: postgres.Sql, query: string) {
  return sql.begin(async (tx) => {
    await tx`set local enable_sort = off`
    return tx.unsafe(query)
  })
}

/** 60 bits of the row's MD5. */
function digestsOfTable({ table, columns }: Compared, where: string): string {
  // not concat_ws(), which takes 100 arguments
  const row = `array_to_string(array[${columns.map(postgresText).join(', ')}], chr(31))`
  return `select id, ('x' || left(md5(${row}), 15))::bit(60)::bigint as digest from ${table} ${where}`
}

function digestsOfFiles({ files, columns }: Compared, where: string): string {
  const row = `concat_ws(chr(31), ${columns.map(duckText).join(', ')})`
  const from = `read_parquet(${duckLiteral(files)})`
  return `select id, ('0x' || left(md5(${row}), 15))::bigint as digest from ${from} ${where}`
}

/** Texts go as they are, for speed: those of the benchmark have no such characters as part them here. */
function postgresText({ name, type }: DataColumn): string {
  const column = quote(name)
  const isText = TEXTS.includes(typeOf(type).kind)
  return `coalesce(${isText ? textSql(`${column}::text`, type) : spelledByPostgres(column, typeOf(type))}, chr(1))`
}

function duckText({ name, type, spelled }: DataColumn): string {
  const column = quote(name)
  const isText = TEXTS.includes(typeOf(type).kind)
  const plain = isText ? textSql(column, type) : spelledByDuckdb(column, typeOf(type))
  return `coalesce(${spelled ? `case when ${column} is not null then ${spelled} end` : plain}, chr(1))`
}

/** char(n) is padded with blanks, and reads as if it were not. */
function textSql(value: string, type: string): string {
  return typeOf(type).kind === 'char' ? `rtrim(${value}, ' ')` : value
}

function typeOf(text: string) {
  const type = parseType(text)
  if (typeof type === 'string') throw new Error(type)
  return type
}

async function firstDifference(compared: Compared, part: string): Promise<string> {
  const { sql, duck, table, files, columns } = compared
  const from = Number(part) * IDS_PER_PART
  const where = `where id >= ${from} and id < ${from + IDS_PER_PART}`
  const inTable = await sql.unsafe(`${digestsOfTable(compared, where)} order by id`)
  const inFiles = await rowsOf(duck, `${digestsOfFiles(compared, where)} order by id`)
  const text = (row: Record<string, unknown> | undefined) => row && `${row.id} ${row.digest}`
  const at = inFiles.findIndex((row, index) => text(row) !== text(inTable[index]))
  const id = at < 0 ? inTable[inFiles.length]?.id : inFiles[at]?.id
  const list = (spell: (column: DataColumn) => string) =>
    columns.map((column) => `${spell(column)} as ${quote(column.name)}`).join(', ')
  const [here] = await sql.unsafe(`select ${list(postgresText)} from ${table} where id = ${id}`)
  const [there] = await rowsOf(
    duck,
    `select ${list(duckText)} from read_parquet(${duckLiteral(files)}) where id = ${id}`,
  )
  const different = columns.filter(({ name }) => here?.[name] !== there?.[name])
  const values = different.map(
    ({ name }) =>
      `${name} is ${JSON.stringify(here?.[name])} in the table, ${JSON.stringify(there?.[name])} in the file`,
  )
  return `${table}, id ${id}: ${values.join('; ') || 'the rows of this range of ids'}`
}
