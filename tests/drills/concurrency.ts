import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { dice } from '../../scripts/dice.ts'
import { writeParquet } from '../support/parquet.ts'
import { freshBucket, freshDatabase, freshFolder, freshStream } from '../support/servers.ts'
import { startService, until, type Service } from '../support/service.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'
import { decideFiles, FIGURAS, foreignKeys, keysOf, selectOf, type Sent } from './overlap.ts'

/** Worker processes, threads of each, senders, and foreign writers. */
const NODES = 2
const THREADS = 4
const SENDERS = 8
const WRITERS = 2

type Job = Sent & { id: string; seq: number; status: string }

/** Jobs that overlap, at once, beside somebody who writes to their table. */
export const concurrency: Drill = {
  name: 'concurrency',
  about:
    '8 workers, jobs with the same keys, a foreign writer: no deadlock in the end, order kept, each effect once',
  runs: { small: 40, full: 200 },
  run: async (trial) => {
    using folder = freshFolder()
    await using database = await freshDatabase()
    const bucket = await freshBucket()
    const sent = decideFiles(trial.seed, trial.runs)
    for (const file of sent) {
      const path = join(folder.path, `${file.number}.parquet`)
      await writeParquet(path, selectOf(file))
      await bucket.put(`${file.number}.parquet`, { file: path })
    }
    await database.sql.unsafe(TABLES)
    const figurasDir = writeFiguras(folder.path, bucket.url(''))
    await using cluster = await startCluster({ databaseUrl: database.url, stream: freshStream(), figurasDir })
    const foreign = writeMeanwhile(database.url, trial.seed)
    const ids = await sendAll(cluster.api, sent, (number) => bucket.url(`${number}.parquet`))
    const open = () => database.sql`select from bulk.job where status in ('enfileirado', 'processando')`
    const deadlineMs = 60_000 + trial.runs * 1000
    await until(
      'all have ended',
      async () => ((await open()).length === 0 ? true : undefined),
      deadlineMs,
    ).catch((error: unknown) => trial.say(String(error)))
    trial.say(await foreign.stop())
    const tally = clean()
    await check(database.sql, { sent, ids }, tally, trial)
    return tally
  },
}

/** n_effects counts what was done to a row, so that a second effect of a job shows; `nota` is the foreign writer's. */
const TABLES = `
  create table chaves (id bigint primary key, valor bigint, n_effects int not null default 0, nota text);
  create function conta() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then new.n_effects := 1;
    elsif new.valor is distinct from old.valor then new.n_effects := old.n_effects + 1;
    end if;
    return new;
  end $$;
  create trigger conta before insert or update on chaves for each row execute function conta();
  create table lista (arquivo bigint, linha bigint)`

function writeFiguras(folder: string, source: string): string {
  const path = join(folder, 'figuras')
  mkdirSync(path)
  for (const [name, { table, columns, load }] of Object.entries(FIGURAS)) {
    const head = `description: ${name}\ntable: public.${table}\n`
    const [key, rest] = load.startsWith('key') ? [`${load}\n`, ''] : ['', `${load}\n`]
    writeFileSync(
      join(path, `${name}.yaml`),
      `${head}${key}columns:\n${columns}\n${rest}sources: ['${source}']\n`,
    )
  }
  return path
}

async function startCluster(common: { databaseUrl: string; stream: string; figurasDir: string }) {
  const bounds = { FIRST_LOAD_ROWS: '0', DIRECT_ROWS: '300', MERGE_PART_ROWS: '400' }
  const start = (env: Record<string, string>) => startService({ ...common, env: { ...bounds, ...env } })
  const [api, ...nodes] = await Promise.all([
    start({ ROLE: 'api' }),
    ...Array.from({ length: NODES }, (_, at) =>
      start({ ROLE: 'worker', NODE_NAME: `n${at}`, WORKER_THREADS: String(THREADS) }),
    ),
  ])
  return {
    api,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([api, ...nodes].map((one) => one[Symbol.asyncDispose]()))
    },
  }
}

/** Sends all files from several senders at once; gives the ids of their jobs, by the number of the file. */
async function sendAll(
  api: Service,
  sent: Sent[],
  url: (number: number) => string,
): Promise<Map<string, number>> {
  const ids = new Map<string, number>()
  const left = [...sent]
  const sender = async () => {
    for (let file = left.shift(); file; file = left.shift()) {
      const { status, body } = await api.put(`/${file.figura}/_bulk`, { url: url(file.number) })
      if (status !== 202) throw new Error(`not accepted: ${JSON.stringify(body)}`)
      ids.set(String(body.id), file.number)
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
  return ids
}

/** Changes rows that loads change too, many in a transaction and in no order, until it is stopped. */
function writeMeanwhile(url: string, seed: number): { stop(): Promise<string> } {
  const sql = postgres(url, { max: WRITERS, onnotice: () => {} })
  const done = { commits: 0, deadlocks: 0 }
  let stopped = false
  const writer = async (_: unknown, number: number) => {
    const at = dice(seed, 1 + number)
    while (!stopped) {
      try {
        await sql.begin(async (tx) => {
          for (const id of foreignKeys(at))
            await tx`update chaves set nota = ${`n${number}`} where id = ${id}`
        })
        done.commits++
      } catch (error) {
        if (!(error instanceof postgres.PostgresError) || error.code !== '40P01') throw error
        done.deadlocks++
      }
      await Bun.sleep(at.below(10))
    }
  }
  const writers = Promise.all(Array.from({ length: WRITERS }, writer))
  return {
    stop: async () => {
      stopped = true
      await writers
      await sql.end()
      return `foreign writers: ${done.commits} commits, ${done.deadlocks} ended by a deadlock`
    },
  }
}

async function check(
  sql: postgres.Sql,
  { sent, ids }: { sent: Sent[]; ids: Map<string, number> },
  tally: Tally,
  { say }: Trial,
): Promise<void> {
  const rows = await sql<
    { id: string; seq: string; status: string; attempts: number; code: string | null }[]
  >`
    select id, seq, status, attempts, error ->> 'detail' as code from bulk.job order by seq`
  const jobs = rows.flatMap((row): Job[] => {
    const file = sent.find(({ number }) => number === ids.get(row.id))
    return file ? [{ ...file, id: row.id, seq: Number(row.seq), status: row.status }] : []
  })
  tally.lost += sent.length - jobs.length
  for (const { id, status, code } of rows) {
    if (status === 'completo') continue
    say(`${id} is ${status}: ${code}`)
    if (status === 'erro') tally.unexpected++
    else tally.lost++
  }
  const tried = rows.filter(({ attempts }) => attempts > 1).length
  const [{ pause } = { pause: 0 }] = await sql<{ pause: number }[]>`
    select max(extract(epoch from finished_at - before))::float8 as pause
    from (select finished_at, lag(finished_at) over (order by finished_at) as before from bulk.job) t`
  say(`${rows.length} jobs, ${tried} of them with more than one attempt; at most ${pause} s without an end`)
  await checkKeys(sql, jobs, tally, say)
  await checkList(sql, jobs, tally, say)
  await checkLeft(sql, tally, say)
}

/** The value of each key is that of the last job that has it, and as many effects were counted as jobs have it. */
async function checkKeys(sql: postgres.Sql, jobs: Job[], tally: Tally, say: Trial['say']): Promise<void> {
  const wanted = new Map<number, { effects: number; last: Record<string, number> }>()
  for (const job of jobs.filter(({ figura, status }) => figura !== 'lista' && status === 'completo'))
    for (const key of keysOf(job)) {
      const one = wanted.get(key) ?? { effects: 0, last: {} }
      wanted.set(key, { effects: one.effects + 1, last: { ...one.last, [job.figura]: job.number } })
    }
  const rows = await sql<{ id: string; valor: string; n_effects: number }[]>`select * from chaves`
  tally.lost += Math.max(0, wanted.size - rows.length)
  for (const { id, valor, n_effects: effects } of rows) {
    const { effects: due = 0, last = {} } = wanted.get(Number(id)) ?? {}
    const ordered = Object.values(last).includes(Number(valor))
    if (effects > due) tally.duplicated += effects - due
    if (effects < due) tally.lost += due - effects
    if (!ordered) tally.unexpected++
    if (effects !== due || !ordered)
      say(`key ${id}: ${valor} and ${effects} effects, expected one of ${JSON.stringify(last)} and ${due}`)
  }
}

/** Each row of each appended file is there once. */
async function checkList(sql: postgres.Sql, jobs: Job[], tally: Tally, say: Trial['say']): Promise<void> {
  const rows = await sql<{ arquivo: string; rows: number; distinct: number }[]>`
    select arquivo, count(*)::int as rows, count(distinct linha)::int as distinct from lista group by 1`
  for (const { number, rows: due, figura, status } of jobs) {
    if (figura !== 'lista' || status !== 'completo') continue
    const found = rows.find(({ arquivo }) => Number(arquivo) === number) ?? { rows: 0, distinct: 0 }
    tally.lost += due - found.distinct
    tally.duplicated += found.rows - found.distinct
    if (found.rows !== due) say(`file ${number}: ${found.rows} rows were appended, expected ${due}`)
  }
}

async function checkLeft(sql: postgres.Sql, tally: Tally, say: Trial['say']): Promise<void> {
  const left = () => sql<{ what: string }[]>`
    select relname::text as what from pg_class where relnamespace = 'bulk_stage'::regnamespace and relkind = 'r'
    union all select gid from pg_prepared_xacts where database = current_database()
    union all select 'mark of ' || job from bulk.chunk`
  await until('nothing is left', async () => ((await left()).length === 0 ? true : undefined), 10_000).catch(
    () => undefined,
  )
  for (const { what } of await left()) {
    tally.leaked++
    say(`left behind: ${what}`)
  }
}
