import type postgres from 'postgres'
import { type Cargo, type Ware, writerOf } from './cargo.ts'
import { clean, type Tally } from './drill.ts'

/** A row of a table as the model has it. */
type Row = { id: number; carga: number; effects: number }

/** What a job of the model does to its table, and what it counts. */
type Effect = { read: number; inserted: number; updated: number; unchanged: number; removed: number }

/**
 * The second opinion: a table as it must be after these jobs, one after the other, and the statistics of each. Plain
 * TypeScript that knows nothing of stages, leases and transactions.
 */
export function applyCargos(ware: Ware, cargos: readonly Cargo[]): { rows: Row[]; effects: Effect[] } {
  let rows = new Map<number, Row>()
  const appended: Row[] = []
  const effects = cargos.map((cargo): Effect => {
    const effect = { read: cargo.rows, inserted: 0, updated: 0, unchanged: 0, removed: 0 }
    const next = new Map<number, Row>()
    for (let id = cargo.first; id < cargo.first + cargo.rows; id++) {
      const carga = writerOf(cargo, id)
      const known = ware.kind === 'append' ? undefined : rows.get(id)
      effect[known === undefined ? 'inserted' : known.carga === carga ? 'unchanged' : 'updated']++
      const row = known?.carga === carga ? known : { id, carga, effects: (known?.effects ?? 0) + 1 }
      if (ware.kind === 'append') appended.push(row)
      else next.set(id, row)
    }
    if (ware.kind === 'replace') effect.removed = [...rows.keys()].filter((id) => !next.has(id)).length
    rows = ware.kind === 'replace' ? next : new Map([...rows, ...next])
    return effect
  })
  return { rows: ware.kind === 'append' ? appended : [...rows.values()], effects }
}

/** What was sent. */
type Sent = { files: ReadonlyMap<string, Cargo>; accepted: ReadonlySet<string> }

/** A job as its row ends. */
type Ended = { id: string; url: string; status: string; error: { code?: string; detail?: string } | null } & {
  [name in keyof Effect]: number | null
}

/**
 * Compares each table, and the statistics of each job, with the model applied to the jobs that ended in `completo` in
 * the order in which they were accepted. `files`: what stands under each address; `accepted`: ids of the jobs that were
 * answered 202. A job that was accepted without anybody getting the answer counts as well.
 */
export async function checkTables(
  sql: postgres.Sql,
  wares: readonly Ware[],
  { files, accepted, say }: Sent & { say: (line: string) => void },
): Promise<Tally> {
  const tally = clean()
  const jobs = await sql<Ended[]>`
    select id, url, status, error, read::float8, inserted::float8, updated::float8, unchanged::float8,
      coalesce(removed, 0)::float8 as removed
    from bulk.job order by seq`
  const known = new Set(jobs.map(({ id }) => id))
  for (const id of accepted)
    if (!known.has(id)) {
      tally.lost++
      say(`job ${id} was accepted, and there is no row of it`)
    }
  // a job of another file was sent to fail, and who has sent it looks at its end
  for (const job of jobs.filter(({ url }) => files.has(url))) {
    if (job.status === 'enfileirado' || job.status === 'processando') {
      tally.lost++
      say(`job ${job.id} is ${job.status} still`)
    } else if (job.status !== 'completo') {
      tally.unexpected++
      say(`job ${job.id} ended in ${job.status}: ${job.error?.code} ${job.error?.detail}`)
    }
  }
  const done = jobs.filter(({ status }) => status === 'completo')
  for (const ware of wares) {
    const mine = done.flatMap((job) => {
      const cargo = files.get(job.url)
      return cargo?.ware.name === ware.name ? [{ job, cargo }] : []
    })
    const { rows, effects } = applyCargos(
      ware,
      mine.map(({ cargo }) => cargo),
    )
    for (const [at, { job }] of mine.entries())
      for (const part of ['read', 'inserted', 'updated', 'unchanged', 'removed'] as const)
        if (job[part] !== effects[at]?.[part]) {
          tally.unexpected++
          say(`job ${job.id} of ${ware.name}: ${part} is ${job[part]}, the model has ${effects[at]?.[part]}`)
        }
    if (mine.length === 0 && !(await isThere(sql, ware))) continue
    const found = await compareRows(sql, ware, rows)
    tally.lost += found.missing.length
    tally[ware.kind === 'append' || ware.kind === 'count' ? 'duplicated' : 'unexpected'] +=
      found.surplus.length
    for (const [what, list] of Object.entries(found))
      if (list.length)
        say(`table ${ware.name}: ${list.length} rows ${what}, such as ${JSON.stringify(list[0])}`)
  }
  return tally
}

async function isThere(sql: postgres.Sql, { name }: Ware): Promise<boolean> {
  const [row] = await sql`select to_regclass(${`public.${name}`}) is not null as found`
  return row?.found ?? false
}

/** Rows that only the model has (`missing`), and rows that only the table has: EXCEPT ALL, both ways. */
async function compareRows(
  sql: postgres.Sql,
  { name, kind }: Ware,
  rows: readonly Row[],
): Promise<{ missing: object[]; surplus: object[] }> {
  const counts = kind === 'count'
  return sql.begin(async (tx) => {
    await tx`create temporary table oracle (id bigint, carga integer, n_effects integer) on commit drop`
    for (let at = 0; at < rows.length; at += 50_000) {
      const some = rows.slice(at, at + 50_000)
      await tx`
        insert into oracle select * from unnest(
          ${some.map(({ id }) => id)}::bigint[], ${some.map(({ carga }) => carga)}::integer[],
          ${some.map(({ effects }) => (counts ? effects : 0))}::integer[])`
    }
    const inTable = `select id, carga, nome, ${counts ? 'n_effects' : '0'} as n_effects from public.${name}`
    const inModel = `select id, carga, md5(id::text) as nome, n_effects from oracle`
    return {
      missing: await tx.unsafe(`${inModel} except all ${inTable}`),
      surplus: await tx.unsafe(`${inTable} except all ${inModel}`),
    }
  })
}

/** The sum of tallies. */
export function sum(...tallies: Tally[]): Tally {
  const total = clean()
  for (const tally of tallies)
    for (const part of ['lost', 'duplicated', 'unexpected', 'leaked'] as const) total[part] += tally[part]
  return total
}
