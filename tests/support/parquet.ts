import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'

let instance: Promise<DuckDBInstance> | undefined

/**
 * A connection to the test's own DuckDB, which reads and writes files by itself: the second opinion on every load.
 */
export async function duck(): Promise<DuckDBConnection> {
  instance ??= DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '2GB' })
  const connection = await (await instance).connect()
  await connection.run(`set TimeZone = 'UTC'`)
  return connection
}

/** Rows of a query as plain objects; bigint as bigint. */
export async function rowsOf(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJS()
}

/** Writes the rows of a query as a parquet file. DuckDB rounds the size of a row group up to a multiple of 2,048. */
export async function writeParquet(
  path: string,
  select: string,
  options: { rowGroupRows?: number } = {},
): Promise<void> {
  const connection = await duck()
  const size = options.rowGroupRows ? `, row_group_size ${options.rowGroupRows}` : ''
  await connection.run(`copy (${select}) to '${path}' (format parquet, compression zstd${size})`)
  connection.closeSync()
}
