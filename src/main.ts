import { join } from 'node:path'
import { createApp } from './api/app.ts'
import { anybody, type Callers, keyHolders } from './api/callers.ts'
import { createHealth, type Readiness } from './api/health.ts'
import { readConfig, workerEnvironment, type Config } from './config.ts'
import type { Ended } from './db/life.ts'
import { isMigrated, migrate } from './db/migrate.ts'
import { takeQueued } from './db/pause.ts'
import { openPostgres, type Sql } from './db/postgres.ts'
import { type Figuras, openFiguras } from './figura/load.ts'
import { afterEnd } from './ingest/ended.ts'
import { createLog, errorFields, messageOf } from './log.ts'
import { queueState } from './queue/depth.ts'
import { publishEvent, publishTasks, ringForAccepted } from './queue/publish.ts'
import { openQueue, type Queue } from './queue/stream.ts'
import { listFiles } from './source/list.ts'
import { requireWorkDir } from './worker/folder.ts'
import { type Looker, superviseLooker } from './worker/looks.ts'
import { killAfterMs, STOP_MS, within } from './worker/stop.ts'
import { superviseWorker, type Supervisor } from './worker/supervise.ts'

/** The database may come up after the service; how long to wait between tries, in milliseconds. */
const MIGRATE_RETRY_MS = 2000

/** Jobs of a resumed figura that are rung for at once. */
const RESUMED_RINGS = 1000

/** A stop waits so long for requests, in milliseconds. One takes some; a body that never ends would hold it 30 s. */
const REQUESTS_MS = 5000

type Server = { port: number | undefined; stop(force?: boolean): Promise<void> }
type Links = { sql: Sql; queue: Queue }
type Service = Links & { server: Server; worker: Supervisor | undefined; looker: Looker | undefined }

let log = createLog({})
let stopping = false

try {
  const service = start()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(service, signal))
} catch (error) {
  log.error(messageOf(error))
  process.exit(1)
}

/** The worker comes last: what may fail has not failed by then, so that nothing is left behind by a failed start. */
function start(): Service {
  const config = readConfig()
  log = createLog({ node: config.node, role: config.role })
  const looks = config.role !== 'worker' && config.bounds.preflightMs > 0
  if (config.role !== 'api' || looks) requireWorkDir(config.workDir)
  const name = `bulk ${config.node} api`
  const sql = openPostgres(config.databaseUrl, { max: config.bounds.apiConnections, name })
  const { leaseMs: ackWaitMs, eventsDays } = config.bounds
  const queue = openQueue({ url: config.natsUrl, stream: config.stream, name, ackWaitMs, eventsDays, log })
  const service: Service = {
    sql,
    queue,
    server: listen(config, { sql, queue }, () => service),
    worker: undefined,
    looker: undefined,
  }
  if (looks) service.looker = startLooker(config)
  if (config.role !== 'api') service.worker = startWorker(config)
  log.info('listening', { host: config.host, port: service.server.port, role: config.role })
  void migrateUntilDone(config)
  return service
}

/** @throws Error that names the variable that is at fault: FIGURAS_DIR, PORT or HOST */
function listen(config: Config, links: Links, service: () => Service): Server {
  const ready = () => readiness(service(), config)
  const app =
    config.role === 'worker' ? createHealth({ readiness: ready, log }) : api(config, links, service, ready)
  try {
    app.listen({ hostname: config.host, port: config.port })
  } catch (error) {
    throw notListening(error, config)
  }
  if (!app.server) throw new Error('the HTTP server did not start')
  return app.server
}

function api(config: Config, { sql, queue }: Links, service: () => Service, readiness: Readiness) {
  const { bounds } = config
  const figuras = openFiguras(config.figurasDir, config.sources)
  return createApp({
    sql,
    figuras,
    callers: callers(config, sql, figuras),
    allowLoopback: config.allowLoopback,
    secretKey: config.secretKey,
    body: { bytes: bounds.bodyBytes, ms: bounds.bodyMs },
    queue: { perFigura: bounds.queueJobs, perKey: bounds.queueJobsPerKey },
    idempotencyMs: bounds.idempotencyMs,
    rejectsDays: bounds.rejectsDays,
    list: (pattern) => listFiles(pattern, config),
    preflight: async (sent) => service().looker?.look(sent),
    node: config.node,
    accepted: (job) => ring(queue, job),
    ended: (job) => ended({ sql, queue }, job),
    resumed: (figura) => resumed({ sql, queue }, figura),
    readiness,
    log,
  })
}

function callers({ auth, bounds }: Config, sql: Sql, figuras: Figuras): Callers {
  if (auth === 'keys')
    return keyHolders(sql, figuras, { perSecond: bounds.requestsPerSecond, burst: bounds.requestsBurst })
  log.warn('AUTH=off: no key is asked for, and whoever reaches the port may do everything')
  return anybody(figuras)
}

function notListening(error: unknown, { host, port }: Config): unknown {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return new Error(`PORT: found ${port} in use, expected a free one`)
    case 'EACCES':
      return new Error(`PORT: found ${port}, which this process may not take, expected one from 1024 on`)
    // Bun tells of a name that it cannot find with whatever code it met last: EINVAL here, EEXIST there
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
    case 'EEXIST':
    case 'ENOENT':
      return new Error(`HOST: found ${host}, where nothing can listen, expected an address of this machine`)
    default:
      return error
  }
}

async function readiness({ sql, queue, worker }: Service, { role }: Config) {
  const checks: Record<string, string> = {
    postgres: await isMigrated(sql).then(
      (ready) => (ready ? 'ok' : 'not migrated to this version'),
      () => 'does not answer',
    ),
    // jobs are accepted without NATS, so it is told but does not count
    nats: await queueState(queue),
  }
  const works = role === 'api' || worker?.ready() === true
  if (role !== 'api') checks.worker = works ? 'ok' : 'starting'
  return { ready: checks.postgres === 'ok' && works, checks }
}

function startWorker({ threads, bounds }: Config): Supervisor {
  return superviseWorker(join(import.meta.dir, 'node.ts'), {
    killAfterMs: killAfterMs(bounds.drainMs),
    env: workerEnvironment(threads),
    log,
  })
}

function startLooker({ bounds }: Config): Looker {
  return superviseLooker(join(import.meta.dir, 'look.ts'), {
    env: workerEnvironment(bounds.preflights),
    waitMs: bounds.preflightMs,
    atOnce: bounds.preflights,
    log,
  })
}

/** What a job that was ended by a request leaves to be done. */
function ended({ sql, queue }: Links, job: Ended): void {
  void afterEnd(sql, job, {
    tell: (event) => publishEvent(queue, event),
    ring: (tasks) => publishTasks(queue, tasks),
    log,
  })
}

/** Rings for the jobs that were held back; for those beyond the first the sweepers do, as they come to them. */
function resumed({ sql, queue }: Links, figura: string): void {
  takeQueued(sql, figura, RESUMED_RINGS)
    .then((jobs) =>
      publishTasks(
        queue,
        jobs.map(({ id, ...job }) => ({ kind: 'job', job: id, ...job })),
      ),
    )
    .catch((error: unknown) =>
      log.warn('cannot ring for the jobs of a resumed figura; the sweeper does it', {
        figura,
        ...errorFields(error),
      }),
    )
}

/** The job is committed by now; whatever happens here, the sweeper makes good for it. */
function ring(queue: Queue, job: { id: string; figura: string }): void {
  try {
    ringForAccepted(queue, job)
  } catch (error) {
    log.warn('cannot ring for a job; the sweeper does it later', { job: job.id, ...errorFields(error) })
  }
}

async function migrateUntilDone(config: Config): Promise<void> {
  while (true) {
    try {
      return await migrate(config.databaseUrl)
    } catch (error) {
      log.error('cannot prepare the database; trying again', errorFields(error))
      await Bun.sleep(MIGRATE_RETRY_MS)
    }
  }
}

async function stop({ server, worker, looker, queue, sql }: Service, signal: string): Promise<void> {
  if (stopping) return
  stopping = true
  log.info('stopping', { signal })
  await Promise.all([stopServer(server), worker?.stop(), looker?.stop()])
  await within(STOP_MS.links, Promise.all([queue.close(), sql.end()]))
  log.info('stopped')
  process.exit(0)
}

async function stopServer(server: Server): Promise<void> {
  if (await within(REQUESTS_MS, server.stop())) return
  log.warn('requests have not ended; their connections are closed', { afterMs: REQUESTS_MS })
  await within(STOP_MS.links, server.stop(true))
}
