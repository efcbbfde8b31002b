import { existsSync, readdirSync } from 'node:fs'
import type postgres from 'postgres'

/**
 * What is left behind when all jobs have ended, in words: stages, marks, parts of merges, locks, sessions that hold a
 * transaction open, files of processes that are gone. The sweepers get `graceMs` for it.
 */
export async function findLeaks(
  sql: postgres.Sql,
  { workDir, graceMs }: { workDir: string; graceMs: number },
): Promise<string[]> {
  const deadline = Date.now() + graceMs
  while (true) {
    const found = [...(await leaksOfDatabase(sql)), ...leaksOfFolder(workDir)]
    if (found.length === 0 || Date.now() > deadline) return found
    await Bun.sleep(250)
  }
}

/** Processes of a list that are still there. */
export function livingOf(pids: readonly number[]): number[] {
  return pids.filter((pid) => existsSync(`/proc/${pid}`))
}

async function leaksOfDatabase(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql<{ what: string }[]>`
    select 'stage ' || c.relname as what
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'bulk_stage'
    union all
    select 'marks of job ' || c.job from (
      select distinct c.job from bulk.chunk c left join bulk.job j on j.id = c.job
      where j.id is null or j.status not in ('enfileirado', 'processando')) c
    union all
    select 'prepared transaction ' || gid from pg_prepared_xacts where database = current_database()
    union all
    select 'advisory lock of backend ' || coalesce(l.pid::text, 'none') from pg_locks l
      join pg_database d on d.oid = l.database
      where l.locktype = 'advisory' and d.datname = current_database()
    union all
    select 'session ' || application_name || ' ' || state || ': ' || left(query, 80) from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%'
        and state_change < now() - interval '1 second'
  `
  return rows.map(({ what }) => what)
}

/** The folder of a worker has its process id in its name. */
function leaksOfFolder(workDir: string): string[] {
  if (!existsSync(workDir)) return []
  return readdirSync(workDir)
    .filter((name) => livingOf([Number(/-(\d+)-[0-9a-f]{8}$/.exec(name)?.[1])]).length === 0)
    .map((name) => `files ${name}`)
}
