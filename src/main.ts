import { join } from 'node:path'
import { createApp } from './api/app.ts'
import { createHealth } from './api/health.ts'
import { readConfig, workerEnvironment, type Config } from './config.ts'
import { isReady } from './db/jobs.ts'
import { migrate } from './db/migrate.ts'
import { openPostgres, type Sql } from './db/postgres.ts'
import { openFiguras } from './figura/load.ts'
import { createLog, errorFields, type Log } from './log.ts'
import { publishEvent, publishTask } from './queue/publish.ts'
import { openQueue, type Queue } from './queue/stream.ts'
import { superviseWorker, type Supervisor } from './worker/supervise.ts'

/** The database may come up after the service; how long to wait between tries, in milliseconds. */
const MIGRATE_RETRY_MS = 2000

const config = configOrExit()
const log = createLog({ node: config.node, role: config.role })
const sql = openPostgres(config.databaseUrl, {
  max: config.bounds.apiConnections,
  name: `bulk ${config.node} api`,
})
const queue = openQueue({
  url: config.natsUrl,
  stream: config.stream,
  name: `bulk ${config.node} api`,
  ackWaitMs: config.bounds.leaseMs,
  log,
})
const worker = config.role === 'api' ? undefined : startWorker(config, log)
const server = listen(config, { sql, queue, worker, log })
log.info('listening', { host: config.host, port: server.port, role: config.role })

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal))
void migrateUntilDone(config, log)

function configOrExit(): Config {
  try {
    return readConfig()
  } catch (error) {
    createLog({}).error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}

function startWorker(config: Config, log: Log): Supervisor {
  const { threads, bounds } = config
  return superviseWorker(join(import.meta.dir, 'node.ts'), {
    drainMs: bounds.drainMs + 5000,
    env: workerEnvironment(threads),
    log,
  })
}

function listen(config: Config, parts: { sql: Sql; queue: Queue; worker: Supervisor | undefined; log: Log }) {
  const { sql, queue, worker, log } = parts
  const readiness = async () => {
    const checks: Record<string, string> = {
      postgres: await isReady(sql).then(
        (ready) => (ready ? 'ok' : 'not migrated yet'),
        () => 'does not answer',
      ),
      // jobs are accepted without NATS, so it is told but does not count
      nats: queue.link() ? 'ok' : 'not connected; jobs are accepted, and rung for later',
    }
    if (worker) checks.worker = worker.ready() ? 'ok' : 'starting'
    return { ready: checks.postgres === 'ok' && (!worker || worker.ready()), checks }
  }
  const app =
    config.role === 'worker'
      ? createHealth({ readiness, log })
      : createApp({
          sql,
          figuras: openFiguras(config.figurasDir),
          allowLoopback: config.allowLoopback,
          bodyBytes: config.bounds.bodyBytes,
          accepted: (job) => ring(queue, job, log),
          readiness,
          log,
        })
  app.listen({ hostname: config.host, port: config.port })
  if (!app.server) throw new Error('the HTTP server did not start')
  return { port: app.server.port, stop: () => app.stop() }
}

/** The job is committed by now; whatever happens here, the sweeper makes good for it. */
function ring(queue: Queue, job: { id: string; figura: string }, log: Log): void {
  const { id, figura } = job
  publishTask(queue, { kind: 'job', figura, job: id, ring: 0 })
    .then(() => publishEvent(queue, { figura, job: id, status: 'enfileirado' }))
    .catch((error) =>
      log.warn('cannot ring for a job; the sweeper does it later', { job: id, ...errorFields(error) }),
    )
}

async function migrateUntilDone(config: Config, log: Log): Promise<void> {
  while (true) {
    try {
      return await migrate(config.databaseUrl)
    } catch (error) {
      log.error('cannot prepare the database; trying again', errorFields(error))
      await Bun.sleep(MIGRATE_RETRY_MS)
    }
  }
}

async function stop(signal: string): Promise<void> {
  log.info('stopping', { signal })
  await Promise.all([server.stop(), worker?.stop()])
  await queue.close()
  await sql.end({ timeout: 5 })
  log.info('stopped')
  process.exit(0)
}
