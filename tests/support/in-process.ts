import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readConfig, type Config } from '../../src/config.ts'
import { findJob, insertJob, type Job, saveContract } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { parseType } from '../../src/figura/type-names.ts'
import type { Figura, Mode } from '../../src/figura/types.ts'
import { openIngest, type Ingest } from '../../src/ingest/ingest.ts'
import type { DryRun, Task } from '../../src/job.ts'
import { writeParquet } from './parquet.ts'
import { freshBucket, freshDatabase, freshFolder, servers } from './servers.ts'

type JobTask = Extract<Task, { kind: 'job' }>

/** A job as it stands after its tasks were run, and why tasks of it were put back. */
export type Ran = Job & { putBack: string[] }

export type InProcess = AsyncDisposable & {
  folder: string
  sql: Sql
  config: Config
  ingest: Ingest
  /** A figura; types as a figura file has them. The first column is the key, unless `key` says otherwise. */
  figura(name: string, columns: Record<string, string>, key?: string[]): Figura
  /** Writes a query's rows as a parquet file of that name, and gives its path. */
  write(name: string, select: string, rowGroupRows?: number): Promise<string>
  /** Accepts a job of the files of these paths. */
  accept(figura: Figura, path: string | string[], asked?: Asked): Promise<JobTask>
  /** Runs a task and all that it releases, as the queue would. What is put back comes again at once, ten times. */
  finish(task: JobTask): Promise<Ran>
  load(figura: Figura, path: string | string[], asked?: Asked): Promise<Ran>
  /** Writes a file of any bytes, and gives its path. */
  put(name: string, content: string | Uint8Array): string
}

/** What a request may ask for beside the file. */
type Asked = { mode?: Mode; dryRun?: DryRun }

/** A worker thread's work in the test's own process, without a queue. */
export async function startInProcess(env: Record<string, string> = {}): Promise<InProcess> {
  const folder = freshFolder()
  const [database, bucket] = await Promise.all([freshDatabase(), freshBucket()])
  const sql = openPostgres(database.url, { max: 4, name: 'test' })
  const config = readConfig({
    DATABASE_URL: database.url,
    NATS_URL: servers.natsUrl,
    S3_ENDPOINT: servers.s3.endpoint,
    S3_REGION: servers.s3.region,
    S3_ACCESS_KEY_ID: servers.s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: servers.s3.secretAccessKey,
    ALLOW_LOOPBACK_SOURCES: 'true',
    SOURCES: '*',
    WORK_DIR: folder.path,
    ...env,
  })
  const ingest = await openIngest(config, 0, () => {})

  const figura: InProcess['figura'] = (name, types, key = Object.keys(types).slice(0, 1)) => {
    const columns = Object.entries(types).map(([column, text]) => {
      const type = parseType(text)
      if (typeof type === 'string') throw new Error(type)
      return { name: column, type, required: key.includes(column), from: column }
    })
    const table = { schema: 'public', name }
    return { name, description: '', table, key, columns, sources: [bucket.url('')] }
  }
  const accept: InProcess['accept'] = async (definition, path, asked = {}) => {
    const id = Bun.randomUUIDv7()
    const { name } = definition
    const paths = [path].flat()
    const keys = paths.map((_, at) => `${id}-${at}`)
    for (const [at, key] of keys.entries()) await bucket.put(key, { file: paths[at]! })
    await saveContract(sql, { hash: id, figura: definition })
    const urls = keys.map((key) => bucket.url(key))
    const job = {
      id,
      figura: name,
      contract: id,
      url: urls[0]!,
      urls: paths.length > 1 ? urls : null,
      sha256: null,
    }
    await insertJob(sql, { ...job, ...asked })
    return { kind: 'job', figura: name, job: id, ring: 0 }
  }
  async function finish(first: JobTask): Promise<Ran> {
    const tasks: Task[] = [first]
    const putBack: string[] = []
    for (let task = tasks.shift(); task && putBack.length < 10; task = tasks.shift()) {
      const outcome = await ingest.run(task)
      tasks.push(...(outcome.kind === 'done' ? outcome.release : [task]))
      if (outcome.kind === 'again') {
        putBack.push(outcome.reason)
        await sql`update bulk.job set lease_until = now() where id = ${first.job}`
      }
    }
    const job = await findJob(sql, first.figura, first.job)
    if (!job) throw new Error(`the job ${first.job} is gone`)
    return { ...job, putBack }
  }
  return {
    folder: folder.path,
    sql,
    config,
    ingest,
    figura,
    write: async (name, select, rowGroupRows) => {
      const path = join(folder.path, `${name}.parquet`)
      await writeParquet(path, select, { rowGroupRows })
      return path
    },
    accept,
    finish,
    load: async (definition, path, asked) => finish(await accept(definition, path, asked)),
    put: (name, content) => {
      const path = join(folder.path, name)
      writeFileSync(path, content)
      return path
    },
    [Symbol.asyncDispose]: async () => {
      await ingest.close()
      await sql.end({ timeout: 5 })
      await database[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}
