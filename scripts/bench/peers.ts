import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type postgres from 'postgres'
import { duckLiteral } from '../../src/quote.ts'
import { rowsOf } from './duck.ts'
import { type Spread, spread } from './figures.ts'
import type { Uploaded } from './prepare.ts'
import type { Rig } from './rig.ts'

/** Another tool on the same file: its times in seconds, or why there are none. */
export type Peer = { name: string; seconds: Spread | null; skipped: string | null }

type Work = { url: string; parquet: string; rig: Rig }
type Tool = {
  name: string
  find(rig: Rig): Promise<string | undefined>
  run(found: string, work: Work): Promise<void>
}

/** The schema that each tool makes its table in, or finds an empty one. */
const SCHEMA = 'bench_peer'
const RUNS_MAX = 3

const TOOLS: Tool[] = [
  { name: 'DuckDB, extension postgres', find: findExtension, run: byExtension },
  { name: 'dlt', find: () => findModule('dlt'), run: byDlt },
  { name: 'sling', find: findSling, run: bySling },
  { name: 'ADBC (adbc_driver_postgresql)', find: () => findModule('adbc_driver_postgresql'), run: byAdbc },
]

/**
 * Has each tool that is installed load the file into a new table, from the local disk and without a key: the least that
 * it could have to do. Nothing is ever downloaded. What a tool cannot do with the file is told, and is no error.
 */
export async function measurePeers(rig: Rig, { parquet }: Uploaded): Promise<Peer[]> {
  const peers: Peer[] = []
  for (const { name, find, run } of TOOLS) {
    const found = await find(rig)
    if (!found) {
      peers.push({ name, seconds: null, skipped: 'not installed' })
      continue
    }
    const work = { url: rig.embedded.postgres.url, parquet, rig }
    peers.push(await timed(name, rig, () => run(found, work)))
  }
  await emptySchema(rig.sql)
  return peers
}

/** What came of it, in lines. */
export function describePeers(peers: Peer[], ours: Spread | null): string[] {
  const lines = peers.map(({ name, seconds, skipped }) => {
    if (!seconds) return `  ${name}: skipped: ${skipped}`
    const ratio = ours ? `, ${(seconds.median / ours.median).toFixed(2)} × our whole job with its MERGE` : ''
    return `  ${name}: ${seconds.median.toFixed(2)} s${ratio}`
  })
  return ['other tools, the same file from the local disk into a new table:', ...lines]
}

async function timed(name: string, rig: Rig, run: () => Promise<void>): Promise<Peer> {
  const seconds: number[] = []
  try {
    for (let at = 0; at < Math.min(RUNS_MAX, rig.options.runs); at++) {
      await emptySchema(rig.sql)
      const startedAt = performance.now()
      await run()
      seconds.push((performance.now() - startedAt) / 1000)
      rig.say(`${name}: ${seconds.at(-1)?.toFixed(2)} s`)
    }
    return { name, seconds: spread(seconds), skipped: null }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { name, seconds: null, skipped: `failed: ${why.trim().split('\n').at(-1)}` }
  }
}

async function emptySchema(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`drop schema if exists ${SCHEMA} cascade; create schema ${SCHEMA}`)
  await sql`checkpoint`
}

/** The file of the extension in DuckDB's own folder, for the version that is in use. */
async function findExtension({ duck }: Rig): Promise<string | undefined> {
  const [row] = await rowsOf(
    duck,
    'select version() as version, (select platform from pragma_platform()) as platform',
  )
  const path = `.duckdb/extensions/${row?.version}/${row?.platform}/postgres_scanner.duckdb_extension`
  const file = join(homedir(), path)
  return existsSync(file) ? file : undefined
}

async function byExtension(extension: string, { url, parquet, rig }: Work): Promise<void> {
  await rig.duck.run(`load ${duckLiteral(extension)}`)
  await rig.duck.run(`attach ${duckLiteral(url)} as peer (type postgres)`)
  try {
    await rig.duck.run(
      `create table peer.${SCHEMA}.main as select * from read_parquet(${duckLiteral(parquet)})`,
    )
  } finally {
    await rig.duck.run('detach peer')
  }
}

async function findModule(name: string): Promise<string | undefined> {
  const python = Bun.which('python3')
  if (!python) return undefined
  const code = Bun.spawnSync([python, '-c', `import ${name}, pyarrow`], {
    stdout: 'ignore',
    stderr: 'ignore',
  }).exitCode
  return code === 0 ? python : undefined
}

/** uuid arrives as 16 bytes with a type of its own, which neither of the two knows: as text, then. */
const READ = `
import sys, uuid, pyarrow as pa, pyarrow.parquet as pq
url, path = sys.argv[1:]
def batches():
    for batch in pq.ParquetFile(path).iter_batches(65536):
        table = pa.Table.from_batches([batch])
        at = table.schema.get_field_index('codigo')
        texts = [str(uuid.UUID(bytes=v if isinstance(v, bytes) else v.bytes)) for v in table['codigo'].to_pylist()]
        yield table.set_column(at, 'codigo', pa.array(texts))
`

async function byAdbc(python: string, { url, parquet }: Work): Promise<void> {
  const program = `${READ}
from adbc_driver_postgresql import dbapi
import itertools
rows = batches()
first = next(rows)
parts = (part for table in itertools.chain([first], rows) for part in table.to_batches())
reader = pa.RecordBatchReader.from_batches(first.schema, parts)
with dbapi.connect(url) as connection, connection.cursor() as cursor:
    cursor.adbc_ingest('main', reader, mode='create', db_schema_name='${SCHEMA}')
    connection.commit()
`
  await finished([python, '-c', program, url, parquet])
}

async function byDlt(python: string, { url, parquet, rig }: Work): Promise<void> {
  const program = `${READ}
import dlt
pipeline = dlt.pipeline('bench', destination=dlt.destinations.postgres(url), dataset_name='${SCHEMA}',
  pipelines_dir='${join(rig.dir, 'dlt')}')
info = pipeline.run(batches(), table_name='main', write_disposition='append', loader_file_format='csv')
info.raise_on_failed_jobs()
`
  await finished([python, '-c', program, url, parquet])
}

/** Not the wrapper of the Python package, which would fetch the program. */
async function findSling(): Promise<string | undefined> {
  const path = Bun.which('sling')
  return path && (await Bun.file(path).slice(0, 2).text()) !== '#!' ? path : undefined
}

async function bySling(sling: string, { url, parquet }: Work): Promise<void> {
  const target = ['--tgt-conn', `${url}?sslmode=disable`, '--tgt-object', `${SCHEMA}.main`]
  await finished([sling, 'run', '--src-stream', `file://${parquet}`, ...target, '--mode', 'full-refresh'])
}

async function finished(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  if (code !== 0) throw new Error(errors || out || `ended with code ${code}`)
}
