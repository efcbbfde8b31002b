// The worker process: its threads, the loops that pull tasks for them, and the sweeper. Started by main.ts.
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { givenNativePoolSize, nativePoolSize, readConfig, type Config } from './config.ts'
import { isReady, takeStalled } from './db/jobs.ts'
import { openPostgres, type Sql } from './db/postgres.ts'
import { createLog, errorFields, type Log } from './log.ts'
import { consume } from './queue/consume.ts'
import { publishEvent } from './queue/publish.ts'
import { openQueue } from './queue/stream.ts'
import { startSweep } from './queue/sweep.ts'
import { startPool } from './worker/pool.ts'

const given = readConfig()
const log = createLog({ node: given.node, role: 'worker', pid: process.pid })
requireNativePool(given, log)
const config: Config = { ...given, workDir: ownFolder(given.workDir) }

const sql = openPostgres(config.databaseUrl, { max: 2, name: `bulk ${config.node} sweeper` })
await untilMigrated(sql, log)
const queue = openQueue({
  url: config.natsUrl,
  stream: config.stream,
  name: `bulk ${config.node} worker`,
  ackWaitMs: config.bounds.leaseMs,
  log,
})
const pool = await startPool(config, {
  log,
  onEvent: (event) =>
    void publishEvent(queue, event).catch((error) =>
      log.warn('an event was not told', { ...event, ...errorFields(error) }),
    ),
  onFatal: (why) => {
    log.error('a worker thread cannot go on; the process is replaced', { why })
    process.exit(1)
  },
})
const consumption = consume(queue, { slots: config.threads, run: pool.run, log })
const sweep = startSweep(queue, {
  everyMs: config.bounds.sweepMs,
  leaseMs: config.bounds.leaseMs,
  take: (options) => takeStalled(sql, options),
  log,
})

process.send?.('ready')
// the parent is gone (kill -9): nobody would ever stop this process
process.on('disconnect', () => void stop('disconnect'))
process.once('SIGTERM', () => void stop('SIGTERM'))
// Ctrl-C reaches the whole group; the parent says when to stop
process.on('SIGINT', () => {})

let stopping = false
async function stop(why: string): Promise<void> {
  if (stopping) return
  stopping = true
  log.info('draining', { why })
  await Promise.race([consumption.stop(), Bun.sleep(config.bounds.drainMs)])
  await sweep.stop()
  await pool.stop()
  await queue.close()
  await sql.end({ timeout: 5 })
  rmSync(config.workDir, { recursive: true, force: true })
  log.info('stopped')
  process.exit(0)
}

/**
 * Two DuckDB queries on two cores take the whole native pool of its default size, and then no file, DNS or zlib
 * call of the process moves. The size is read before any JavaScript runs, so it can only be asked for here, not
 * set.
 */
function requireNativePool(config: Config, log: Log): void {
  const least = nativePoolSize(config.threads)
  const found = givenNativePoolSize()
  if (found >= least) return
  log.error(
    `UV_THREADPOOL_SIZE: found ${found || 'nothing'}, expected ${least} or more for ${config.threads} threads. ` +
      'Start the worker through src/main.ts, or set it in the real environment (not in .env).',
  )
  process.exit(1)
}

/** A folder of this process alone; those of processes that are gone are cleared away. */
function ownFolder(workDir: string): string {
  mkdirSync(workDir, { recursive: true })
  for (const name of readdirSync(workDir)) {
    const pid = /^worker-(\d+)$/.exec(name)?.[1]
    if (pid && !isAlive(Number(pid))) rmSync(join(workDir, name), { recursive: true, force: true })
  }
  const own = join(workDir, `worker-${process.pid}`)
  rmSync(own, { recursive: true, force: true })
  mkdirSync(own, { recursive: true })
  return own
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function untilMigrated(sql: Sql, log: Log): Promise<void> {
  while (true) {
    const ready = await isReady(sql).catch(() => false)
    if (ready) return
    log.info('waiting for the database')
    await Bun.sleep(500)
  }
}
