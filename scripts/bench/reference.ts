import postgres from 'postgres'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { quote } from '../../src/quote.ts'
import type { Dataset } from './data.ts'
import { presetBounds } from './presets.ts'
import type { Tables } from './target.ts'

/** Times in milliseconds: of the COPY, of the MERGE, and of all from the start of the client to its end. */
export type ReferenceRun = { copyMs: number; mergeMs: number; wallMs: number }

/** psql where it is installed; else the same bytes go through postgres.js. */
export type Reference = { name: string; run(job: ReferenceJob): Promise<ReferenceRun> }

export type ReferenceJob = { url: string; dataset: Dataset; tables: Tables; file: string }

/** Finds out which client there is. The benchmark says which one it used. */
export function findReference(): Reference {
  const psql = Bun.which('psql')
  if (!psql) return { name: 'COPY by postgres.js (no psql here) + MERGE', run: byPostgresJs }
  const version = Bun.spawnSync([psql, '--version']).stdout.toString().trim()
  return { name: `\\copy by ${version} + MERGE`, run: (job) => byPsql(psql, job) }
}

/** What somebody would write by hand who does not want to write rows that are equal already. */
export function guardedMerge({ columns }: Dataset, { reference, stage }: Tables): string {
  const names = columns.map((column) => quote(column.name))
  const values = names.filter((name) => name !== '"id"')
  const row = (table: string) => `(${values.map((name) => `${table}.${name}`).join(', ')})`
  return `merge into ${reference} t using ${stage} s on t.id = s.id
    when matched and ${row('t')} is distinct from ${row('s')} then
      update set ${values.map((name) => `${name} = s.${name}`).join(', ')}
    when not matched then
      insert (${names.join(', ')}) values (${names.map((name) => `s.${name}`).join(', ')})`
}

/** Memory for the join as the service takes it, so that both have the same. */
function settings(): string {
  return `set work_mem = '${presetBounds().mergeWorkMemBytes / 1024}kB'`
}

/** One session: \copy from the ready file, then the MERGE. */
async function byPsql(psql: string, { url, dataset, tables, file }: ReferenceJob): Promise<ReferenceRun> {
  const copy = `\\copy ${tables.stage} from '${file}' (format binary)`
  const statements = [settings(), '\\timing on', copy, guardedMerge(dataset, tables).replaceAll(/\s+/g, ' ')]
  const startedAt = performance.now()
  const child = Bun.spawn(
    [psql, '-X', '-q', '-v', 'ON_ERROR_STOP=1', url, ...statements.flatMap((one) => ['-c', one])],
    { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', env: { ...process.env, LC_ALL: 'C' } },
  )
  const [out, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  const wallMs = performance.now() - startedAt
  if (code !== 0) throw new Error(`psql ended with code ${code}: ${errors}`)
  const times = [...out.matchAll(/^Time: ([\d.]+) ms/gm)].map((match) => Number(match[1]))
  const [copyMs, mergeMs] = times
  if (copyMs === undefined || mergeMs === undefined) throw new Error(`psql told no times: ${out}`)
  return { copyMs, mergeMs, wallMs }
}

async function byPostgresJs({ url, dataset, tables, file }: ReferenceJob): Promise<ReferenceRun> {
  const startedAt = performance.now()
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(settings())
    const copyAt = performance.now()
    const copy = await sql.unsafe(`copy ${tables.stage} from stdin (format binary)`).writable()
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), copy)
    const mergeAt = performance.now()
    await sql.unsafe(guardedMerge(dataset, tables))
    const endedAt = performance.now()
    return { copyMs: mergeAt - copyAt, mergeMs: endedAt - mergeAt, wallMs: endedAt - startedAt }
  } finally {
    await sql.end({ timeout: 5 })
  }
}
