import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { parseFigura } from '../../src/figura/load.ts'
import type { Figura } from '../../src/figura/types.ts'
import { writeParquet } from './parquet.ts'
import { freshBucket, freshDatabase, freshFolder, freshStream, type FreshBucket } from './servers.ts'
import { startService, type Service } from './service.ts'

/** A service of its own, with all that it needs: database, stream, bucket, and a folder of figuras. */
export type Rig = AsyncDisposable & {
  service: Service
  sql: postgres.Sql
  bucket: FreshBucket
  /** For files of the test. */
  folder: string
  figuras: string
  /** Drops a figura into the folder: table public.<name>, key id. `columns`: lines of YAML. */
  writeFigura(name: string, columns: string, source?: string): void
  figura(name: string): Figura
  /** Writes a query's rows as parquet and puts the file into the bucket; gives its local path and its address. */
  putFile(
    key: string,
    select: string,
    options?: { rowGroupRows?: number },
  ): Promise<{ path: string; url: string }>
  /** putFile, then the whole way by HTTP, up to the job's end. */
  send(name: string, key: string, select: string): Promise<Record<string, unknown>>
}

/** `databaseUrl`: of a server other than that of the tests. */
export async function startRig({
  databaseUrl,
  env,
}: { databaseUrl?: string; env?: Record<string, string> } = {}): Promise<Rig> {
  const folder = freshFolder()
  const figuras = join(folder.path, 'figuras')
  mkdirSync(figuras)
  const [database, bucket] = await Promise.all([databaseUrl ? undefined : freshDatabase(), freshBucket()])
  const url = databaseUrl ?? database?.url ?? ''
  const sql = database?.sql ?? postgres(url, { max: 2, onnotice: () => {} })
  const service = await startService({ databaseUrl: url, stream: freshStream(), figurasDir: figuras, env })
  const rig: Rig = {
    service,
    sql,
    bucket,
    folder: folder.path,
    figuras,
    writeFigura: (name, columns, source = bucket.url('')) => {
      const head = `description: ${name}\ntable: public.${name}\nkey: [id]\ncolumns:\n`
      writeFileSync(join(figuras, `${name}.yaml`), `${head}${columns}\nsources: ['${source}']\n`)
    },
    figura: (name) => {
      const parsed = parseFigura(name, readFileSync(join(figuras, `${name}.yaml`), 'utf8'))
      if (!('figura' in parsed)) throw new Error(JSON.stringify(parsed.errors))
      return parsed.figura
    },
    putFile: async (key, select, options) => {
      const path = join(folder.path, `${key}.parquet`)
      await writeParquet(path, select, options)
      await bucket.put(`${key}.parquet`, { file: path })
      return { path, url: bucket.url(`${key}.parquet`) }
    },
    send: async (name, key, select) => {
      const file = await rig.putFile(`${name}-${key}`, select)
      return service.load(name, file.url)
    },
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]()
      await sql.end({ timeout: 5 })
      await database?.[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
  return rig
}
