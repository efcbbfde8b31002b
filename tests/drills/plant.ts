import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { migrate } from '../../src/db/migrate.ts'
import { writeParquet } from '../support/parquet.ts'
import { freshBucket, freshDatabase, freshFolder, freshStream, type FreshBucket } from '../support/servers.ts'
import { startService, type Answer, type Service } from '../support/service.ts'
import { type Cargo, figuraOf, selectCargo, tableOf, type Ware } from './cargo.ts'
import { type Crew, startCrew } from './crew.ts'
import { clean, type Tally } from './drill.ts'
import { findLeaks, livingOf } from './leaks.ts'
import { checkTables, sum } from './oracle.ts'

/** The whole system: an API process, worker processes, a database, a stream, a bucket, and figuras. */
export type Plant = AsyncDisposable & {
  api: Service
  crew: Crew
  sql: postgres.Sql
  bucket: FreshBucket
  folder: string
  /** The name of its stream. */
  stream: string
  /** What the API has answered to a PUT of a file that is uploaded; a 202 is a promise, which is kept count of. */
  put(url: string): Promise<Answer>
  /** Writes the file and puts it into the bucket; gives its address. */
  upload(cargo: Cargo): Promise<string>
  /** Uploads a file and sends its address. @throws when it is not accepted */
  send(cargo: Cargo): Promise<void>
  /** Waits until no job is alive, at the most so long; says how many are. */
  settled(timeoutMs: number): Promise<number>
  /** Stops the processes, and counts everything. */
  check(say: (line: string) => void): Promise<Tally>
}

export type PlantOptions = {
  wares: Ware[]
  /** Further figuras, whose tables are not compared with anything. */
  unchecked?: Ware[]
  workers: number
  /** Of other servers than those of the run. */
  databaseUrl?: string
  natsUrl?: string
  env?: Record<string, string>
  /** Reports of crashes that are meant are not shown. */
  quiet?: boolean
  /** What workers alone have: other variables, and proxies before the servers. */
  workerEnv?: Record<string, string>
  workerNatsUrl?: string
  workerDatabaseUrl?: (url: string) => string
}

/**
 * Small bounds, so that a file of some thousand rows goes every way: in one transaction, into an empty table, by chunks
 * of a stage, by parts of a merge. A kill counts as an attempt, as it must (a file that kills its reader cannot do so
 * for ever); a drill that kills all the time therefore allows many.
 */
const BOUNDS = {
  LEASE_SECONDS: '2',
  SWEEP_SECONDS: '1',
  ATTEMPTS: '100',
  DRAIN_SECONDS: '5',
  DIRECT_ROWS: '1000',
  FIRST_LOAD_ROWS: '10000',
  CHUNK_ROWS: '4096',
  MERGE_PART_ROWS: '4000',
  API_CONNECTIONS: '4',
  DUCKDB_MEMORY_MB: '128',
}

/** How long the sweepers have to clean up once all is quiet, in milliseconds. */
const GRACE_MS = 15_000

/** Starts all of it. */
export async function startPlant(options: PlantOptions): Promise<Plant> {
  const { wares, workers } = options
  const folder = freshFolder()
  const workDir = join(folder.path, 'work')
  const figurasDir = join(folder.path, 'figuras')
  for (const dir of [workDir, figurasDir]) mkdirSync(dir)
  const [database, bucket] = await Promise.all([
    options.databaseUrl ? undefined : freshDatabase(),
    freshBucket(),
  ])
  const databaseUrl = options.databaseUrl ?? database?.url ?? ''
  if (!database) await migrate(databaseUrl)
  const sql = postgres(databaseUrl, { max: 4, onnotice: () => {} })
  for (const ware of [...wares, ...(options.unchecked ?? [])]) {
    writeFileSync(join(figurasDir, `${ware.name}.yaml`), figuraOf(ware, bucket.url('')))
    if (tableOf(ware)) await sql.unsafe(tableOf(ware))
  }
  const common = { databaseUrl, stream: freshStream(), natsUrl: options.natsUrl, figurasDir }
  const env = { ...BOUNDS, WORK_DIR: workDir, ...options.env }
  const api = await startService({ ...common, env: { ...env, ROLE: 'api', NODE_NAME: 'api' } })
  const crew = await startCrew(workers, (name) =>
    startService({
      ...common,
      natsUrl: options.workerNatsUrl ?? options.natsUrl,
      databaseUrl: options.workerDatabaseUrl?.(databaseUrl) ?? databaseUrl,
      env: { ...env, ...options.workerEnv, ROLE: 'worker', NODE_NAME: name },
      quiet: options.quiet,
    }),
  )
  const sending = sender(api, bucket, folder.path)
  const plant: Plant = {
    ...{ api, crew, sql, bucket, folder: folder.path, stream: common.stream },
    ...sending,
    settled: (timeoutMs) => untilSettled(sql, timeoutMs),
    check: async (say) => {
      const leaks = await findLeaks(sql, { workDir, graceMs: GRACE_MS })
      await Promise.all([crew.dismiss(), api.stop()])
      const left = livingOf(crew.pids()).map((pid) => `process ${pid}`)
      for (const leak of [...leaks, ...left]) say(`left behind: ${leak}`)
      const counted = await checkTables(sql, wares, { ...sending, say })
      return sum(counted, { ...clean(), leaked: leaks.length + left.length })
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([crew.dismiss(), api[Symbol.asyncDispose]()])
      await sql.end({ timeout: 5 })
      await database?.[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
  return plant
}

function sender(api: Service, bucket: FreshBucket, folder: string) {
  const files = new Map<string, Cargo>()
  const accepted = new Set<string>()
  const upload = async (cargo: Cargo): Promise<string> => {
    const name = `${cargo.no}.parquet`
    await writeParquet(join(folder, name), selectCargo(cargo), { rowGroupRows: 4096 })
    await bucket.put(name, { file: join(folder, name) })
    files.set(bucket.url(name), cargo)
    return bucket.url(name)
  }
  const put = async (url: string): Promise<Answer> => {
    const answer = await api.put(`/${files.get(url)?.ware.name}/_bulk`, { url })
    if (answer.status === 202) accepted.add(String(answer.body.id))
    return answer
  }
  const send = async (cargo: Cargo): Promise<void> => {
    const { status, body } = await put(await upload(cargo))
    if (status !== 202) throw new Error(`the API answered ${status}: ${JSON.stringify(body)}`)
  }
  return { files, accepted, upload, put, send }
}

async function untilSettled(sql: postgres.Sql, timeoutMs: number): Promise<number> {
  const deadline = Date.now() + timeoutMs
  while (true) {
    const rows = sql<{ alive: number }[]>`
      select count(*)::int as alive from bulk.job where status in ('enfileirado', 'processando')`
    // a server that has just crashed does not answer
    const [row] = await rows.catch(() => [])
    if (row?.alive === 0 || Date.now() > deadline) return row?.alive ?? 0
    await Bun.sleep(100)
  }
}
