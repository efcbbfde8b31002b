import { chmodSync, lstatSync, mkdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import postgres from 'postgres'
import { type Bucket, createBucket } from '../bucket.ts'
import { freePort, startChild, untilReady } from '../child.ts'
import type { Embedded } from '../embedded.ts'
import { startNats } from '../nats.ts'
import { startPostgres } from '../postgres.ts'
import { type Service, startService } from '../service.ts'
import { openDuck } from './duck.ts'
import type { Options } from './options.ts'
import type { Session } from './session.ts'
import { childrenOf, type Group, parentOf, processName } from './usage.ts'

export const BUCKET = 'bench'

/** The servers of the benchmark, its own folder, and the service as it runs at the moment. */
export type Rig = {
  options: Options
  dir: string
  /** Files that PostgreSQL's account may read and write too. */
  files: string
  figuras: string
  embedded: Embedded
  sql: postgres.Sql
  duck: DuckDBConnection
  say(text: string): void
  /**
   * Sees to it that the service runs so; one that runs otherwise, or `fresh`, is replaced. `staged`: files go by way of
   * a stage even where the table is empty.
   */
  use(wanted: { threads: number; nodes?: number; fresh?: boolean; staged?: boolean }): Promise<Service>
  /** Stops the service, where none is wanted. */
  stopService(): Promise<void>
  /** Further processes for a row of its own; they are stopped at the end. */
  undo(action: () => Promise<void>): void
  workers(): number[]
  groups(): Group[]
}

/** A quarter of the memory, as PostgreSQL's manual advises, and no more than 2 GB: both sides have it. */
function sharedBuffers(): string {
  return `${Math.min(2048, Math.floor(totalmem() / 4 / 2 ** 20))}MB`
}

/** Starts PostgreSQL (as durable as in production), NATS and a bucket, each a process of its own. */
export async function startRig(options: Options, { dir, undo, say }: Session): Promise<Rig> {
  chmodSync(dir, 0o711) // PostgreSQL may run as another user, and has to pass through
  const [files, figuras] = [join(dir, 'files'), join(dir, 'figuras')]
  mkdirSync(files)
  chmodSync(files, 0o777)
  mkdirSync(figuras)
  say('starting PostgreSQL, NATS and a bucket')
  const server = await startPostgres({
    dir: join(dir, 'postgres'),
    durable: true,
    settings: { shared_buffers: sharedBuffers(), max_wal_size: '8GB' },
  })
  undo(async () => {
    await server.stop()
    removeElsewhere(join(dir, 'postgres'))
  })
  const nats = await startNats({ dir: join(dir, 'nats') })
  undo(() => nats.stop())
  const bucket = await startBucketProcess(dir)
  undo(() => bucket.stop())
  // upload() takes the keys of the bucket from here, as it does for whoever exports
  process.env.S3_ACCESS_KEY_ID = bucket.accessKeyId
  process.env.S3_SECRET_ACCESS_KEY = bucket.secretAccessKey
  await createBucket(bucket, BUCKET)
  const sql = postgres(server.url, { max: 2, onnotice: () => {} })
  undo(() => sql.end({ timeout: 1 }))
  const [backend] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  const duck = await openDuck(files)
  const embedded = { postgres: server, nats, bucket, stop: async () => {} }
  const services = serviceKeeper({ dir, figuras, embedded, undo, say })
  const fixed: Group[] = [
    { name: 'PostgreSQL', pids: [parentOf(backend?.pid ?? 0) ?? 0], tree: true },
    { name: 'bucket', pids: [bucket.pid] },
    { name: 'NATS', pids: childrenOf(process.pid).filter((pid) => processName(pid) === 'nats-server') },
    { name: 'client', pids: [process.pid] },
  ]
  return {
    ...{ options, dir, files, figuras, embedded, sql, duck, say, undo },
    ...{ use: services.use, stopService: services.stop, workers: services.workers },
    groups: () => [
      ...fixed,
      { name: 'API', pids: services.apis() },
      { name: 'worker', pids: services.workers() },
    ],
  }
}

/** Where PostgreSQL's account cannot reach the folder, its data stand behind a link. */
function removeElsewhere(home: string): void {
  const link = join(home, 'elsewhere')
  if (lstatSync(link, { throwIfNoEntry: false })) rmSync(readlinkSync(link), { recursive: true, force: true })
}

type BucketProcess = Bucket & { pid: number }

async function startBucketProcess(dir: string): Promise<BucketProcess> {
  const port = await freePort()
  const logFile = join(dir, 'bucket.log')
  const program = join(import.meta.dir, 'bucket-process.ts')
  const child = startChild({
    command: [process.execPath, program, join(dir, 'bucket'), String(port)],
    signal: 'TERM',
    logFile,
  })
  const endpoint = `http://127.0.0.1:${port}`
  const answers = () =>
    fetch(endpoint).then(
      () => true,
      () => false,
    )
  await untilReady('The bucket', child, logFile, answers)
  const keys = { region: 'us-east-1', accessKeyId: 'embedded', secretAccessKey: 'embedded-secret' }
  return { endpoint, port, ...keys, pid: child.pid, stop: () => child.stop() }
}

/** Runs the service in the shape that a row asks for: a first node with API and worker, and further nodes that work. */
function serviceKeeper({ dir, figuras, embedded, undo, say }: ServiceNeeds) {
  let running: { shape: string; nodes: Service[] } | undefined
  const stop = async () => {
    const nodes = running?.nodes ?? []
    running = undefined
    for (const node of nodes.reverse()) await node.stop()
  }
  undo(stop)
  const workers = () => running?.nodes.flatMap((node) => childrenOf(node.pid)) ?? []
  const use: Rig['use'] = async ({ threads, nodes = 1, fresh = false, staged = false }) => {
    const shape = `${nodes} node(s) of ${threads} thread(s)${staged ? ', always with a stage' : ''}`
    if (running?.shape === shape && running.nodes[0] && !fresh) return running.nodes[0]
    await stop()
    say(`starting the service: ${shape}`)
    running = { shape, nodes: [] }
    for (let node = 1; node <= nodes; node++) {
      const folder = join(dir, `node${node}`)
      mkdirSync(folder, { recursive: true })
      const env = {
        FIGURAS_DIR: figuras,
        NODE_NAME: `node${node}`,
        ROLE: node === 1 ? 'all' : 'worker',
        ...(staged ? { FIRST_LOAD_ROWS: '0' } : {}),
      }
      const port = await freePort()
      running.nodes.push(await startService(embedded, { dir: folder, port, threads, env }))
    }
    const [first] = running.nodes
    if (!first) throw new Error('the service was stopped while it started')
    return first
  }
  return { use, stop, workers, apis: () => running?.nodes.map((node) => node.pid) ?? [] }
}

type ServiceNeeds = { dir: string; figuras: string; embedded: Embedded } & Pick<Session, 'undo' | 'say'>

/** Writes a figura where the service finds it: it looks at its folder by itself. */
export function writeFigura({ figuras }: Rig, name: string, yaml: string): void {
  writeFileSync(join(figuras, `${name}.yaml`), yaml)
}
