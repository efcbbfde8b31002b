import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '../../scripts/postgres.ts'
import type { ClaimedJob } from '../../src/db/claims.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { stageColumns } from '../../src/db/targets.ts'
import { parseType } from '../../src/figura/type-names.ts'
import { loadOf, type Column, type Figura, type Load } from '../../src/figura/types.ts'
import { mergeWhole, type Done } from '../../src/ingest/merge-whole.ts'
import { ensureTarget } from '../../src/ingest/target.ts'
import { freshDatabase, freshFolder } from './servers.ts'

/** Where Debian puts PostgreSQL 15. Users' machines need not have it. */
const NATIVE = '/usr/lib/postgresql/15'

/** The versions of PostgreSQL that are at hand, for describe.each. */
export const VERSIONS: ('18' | '15')[] = existsSync(join(NATIVE, 'bin/postgres')) ? ['18', '15'] : ['18']

/** A database in which stages made by hand are merged as those of jobs are. */
export type Staged = AsyncDisposable & {
  sql: Sql
  /** A figura of a new table; columns as "type" or with further parts; the first is the key. */
  figura(columns: Record<string, string | (Partial<Column> & { of: string })>, parts?: Parts): Figura
  /** Merges the rows of a query, whose columns are those of the stage, in one transaction. */
  merge(
    figura: Figura,
    select: string,
    job?: Partial<Pick<ClaimedJob, 'id' | 'mode' | 'dryRun'>>,
  ): Promise<Done>
  /** The rows of the figura's table (or of another one beside it), in the order of the first column. */
  rows(figura: Figura, list?: string, table?: string): Promise<Record<string, unknown>[]>
}

type Parts = { load?: Partial<Load>; key?: string[] } & Pick<Partial<Figura>, 'extra'>

let number = 0

/** Starts it on that version of PostgreSQL. */
export async function startStaged(version: '18' | '15'): Promise<Staged> {
  const database = version === '18' ? await freshDatabase() : await startFifteen()
  const sql = openPostgres(database.url, { max: 3, name: 'staged' })
  return {
    sql,
    figura: (given, { load, key, ...parts } = {}) => {
      const name = `modo${number++}`
      const columns = Object.entries(given).map(([column, said]): Column => {
        const { of, ...rest } = typeof said === 'string' ? { of: said } : said
        const type = parseType(of)
        if (typeof type === 'string') throw new Error(type)
        return { name: column, type, required: false, from: column, ...rest }
      })
      const keys = key ?? columns.slice(0, 1).map((column) => column.name)
      const table = { schema: 'public', name }
      const whole = { ...loadOf({}), ...load }
      return { name, description: '', table, key: keys, columns, load: whole, sources: [], ...parts }
    },
    merge: async (figura, select, { id = Bun.randomUUIDv7(), mode = null, dryRun = null } = {}) => {
      await ensureTarget(sql, figura, { trial: dryRun !== null })
      const job = { id, mode, dryRun, definition: figura, figura: figura.name } as ClaimedJob
      return sql.begin(async (tx) => {
        const rows = 'pg_temp.entrada'
        const { count } = await tx.unsafe(`create temporary table entrada on commit drop as ${select}`)
        const names = await stageColumns(tx, rows)
        return mergeWhole(tx, job, {
          rows,
          names,
          copied: { read: count, staged: count, rejected: 0 },
          promised: count,
        })
      })
    },
    rows: async (figura, list = '*', table = figura.table.name) => [
      ...(await sql.unsafe(`select ${list} from ${table} order by 1`)),
    ],
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 5 })
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Statistics with zero for what is not named; what was read was staged, unless it is said otherwise. */
export function stats(given: { read: number } & Partial<Done['stats']>): Done['stats'] {
  const none = { rejected: 0, duplicates: 0, stale: 0, deleted: 0, removed: 0 }
  return { ...none, inserted: 0, updated: 0, unchanged: 0, staged: given.read, ...given }
}

async function startFifteen(): Promise<AsyncDisposable & { url: string }> {
  const folder = freshFolder()
  const server = await startPostgres({ dir: folder.path, durable: false, native: NATIVE })
  await migrate(server.url)
  return {
    url: server.url,
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      folder[Symbol.dispose]()
    },
  }
}
