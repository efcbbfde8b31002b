import { statSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { duckLiteral } from '../../src/quote.ts'

/** Bounds of the benchmark's own DuckDB, which makes the files and reads them for the comparison. */
const MEMORY = '2GB'

/** The rows of a row group, DuckDB's own default, and its compression. */
export const FILE_FORMAT = { rowsPerGroup: 122_880, compression: 'zstd' }

/** Opens the benchmark's own DuckDB: it makes the files, and is the second opinion on what was loaded. */
export async function openDuck(dir: string): Promise<DuckDBConnection> {
  // nothing is ever fetched: an extension that is not there is an error
  const offline = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' }
  const instance = await DuckDBInstance.create(':memory:', {
    ...offline,
    memory_limit: MEMORY,
    temp_directory: dir,
  })
  const connection = await instance.connect()
  await connection.run(`set TimeZone = 'UTC'`)
  return connection
}

/** Rows of a query as plain objects; bigint as bigint. */
export async function rowsOf(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJS()
}

/** Writes the rows of a query as parquet, one row group after the other: memory does not grow with the file. */
export async function writeParquet(
  connection: DuckDBConnection,
  select: string,
  path: string,
): Promise<{ bytes: number }> {
  const { rowsPerGroup, compression } = FILE_FORMAT
  await connection.run(`
    copy (${select}) to ${duckLiteral(path)}
    (format parquet, compression ${compression}, row_group_size ${rowsPerGroup})`)
  return { bytes: statSync(path).size }
}
