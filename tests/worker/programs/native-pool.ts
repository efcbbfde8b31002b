// Two DuckDB queries that run for some seconds, and a file read beside them: says which ended first.
import { readFile } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'

const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
const connections = await Promise.all(Array.from({ length: 2 }, () => instance.connect()))
const queries = connections.map((connection) =>
  connection
    .run('select count(*) from range(100000) a(i), range(6000) b(j) where (i * j) % 7 = 1')
    .catch(() => {}),
)
await Bun.sleep(100)
const first = await Promise.race([
  readFile(import.meta.path).then(() => 'the file'),
  Promise.race(queries).then(() => 'a query'),
])
console.log(first)
for (const connection of connections) connection.interrupt()
await Promise.all(queries)
process.exit(0)
