// The worker process: its threads, the loops that pull tasks for them, and the sweepers. Started by main.ts.
import { rmSync } from 'node:fs'
import { givenNativePoolSize, nativePoolSize, readConfig, type Config } from './config.ts'
import { findUntold, markTold } from './db/dead-letters.ts'
import { takeStalled } from './db/jobs.ts'
import { isMigrated } from './db/migrate.ts'
import { openPostgres, type Sql } from './db/postgres.ts'
import { afterEnd } from './ingest/ended.ts'
import { startOrphanSweep } from './ingest/orphans.ts'
import { endAllOverdue } from './ingest/overdue.ts'
import type { JobEvent, Task } from './job.ts'
import { createLog, errorFields, messageOf } from './log.ts'
import { consume } from './queue/consume.ts'
import { sendDeadLetters } from './queue/dead-letters.ts'
import { publishEvent, publishTasks } from './queue/publish.ts'
import { openQueue, type Queue } from './queue/stream.ts'
import { startSweep } from './queue/sweep.ts'
import { type Rounds, startRounds } from './rounds.ts'
import { startExpiry } from './worker/expiry.ts'
import { keepFolders, makeOwnFolder } from './worker/folder.ts'
import { startPool } from './worker/pool.ts'
import { STOP_MS, within } from './worker/stop.ts'

/** Tries to reach the database at the start, and how often it is said that they go on, in milliseconds. */
const DATABASE_RETRY_MS = 500
const DATABASE_LOG_MS = 10_000

type Running = {
  config: Config
  sql: Sql
  queue: Queue
  pool: Awaited<ReturnType<typeof startPool>>
  consumption: ReturnType<typeof consume>
  sweeps: Rounds[]
}

let log = createLog({ role: 'worker', pid: process.pid })
let running: Running | undefined
let stopping = false

// before all else: a start may wait for the database without an end, and has to be stopped too
process.on('SIGTERM', () => void stop('SIGTERM'))
// the parent is gone (kill -9): nobody would ever stop this process
process.on('disconnect', () => void stop('disconnect'))
// Ctrl-C reaches the whole group; the parent says when to stop
process.on('SIGINT', () => {})

try {
  running = await start()
  process.send?.('ready')
} catch (error) {
  log.error(messageOf(error))
  process.exit(1)
}

async function start(): Promise<Running> {
  const given = readConfig()
  log = log.with({ node: given.node })
  requireNativePool(given)
  const config: Config = { ...given, workDir: makeOwnFolder(given.workDir, given.node) }
  process.on('exit', () => rmSync(config.workDir, { recursive: true, force: true }))

  const sql = openPostgres(config.databaseUrl, { max: 2, name: `bulk ${config.node} sweeper` })
  await untilMigrated(sql)
  const queue = openQueue({
    url: config.natsUrl,
    stream: config.stream,
    name: `bulk ${config.node} worker`,
    ackWaitMs: config.bounds.leaseMs,
    eventsDays: config.bounds.eventsDays,
    log,
  })
  const tell = (event: JobEvent) =>
    void publishEvent(queue, event).catch((error) =>
      log.warn('an event was not told', { ...event, ...errorFields(error) }),
    )
  const pool = await startPool(config, {
    log,
    onEvent: tell,
    onFatal: (why) => {
      log.error('a worker thread cannot go on; the process is replaced', { why })
      process.exit(1)
    },
  })
  const consumption = consume(queue, { slots: config.threads, run: pool.run, log })
  return { config, sql, queue, pool, consumption, sweeps: startSweeps({ config, sql, queue, tell }) }
}

/** What every node does beside its tasks, without a leader. */
function startSweeps({
  config,
  sql,
  queue,
  tell,
}: Pick<Running, 'config' | 'sql' | 'queue'> & { tell: (event: JobEvent) => void }): Rounds[] {
  const { node, workDir, bounds } = config
  const { sweepMs: everyMs, leaseMs } = bounds
  const told = {
    tell: async (event: JobEvent) => tell(event),
    ring: (tasks: Task[]) => publishTasks(queue, tasks),
    log,
  }
  const letters = {
    find: (limit: number) => findUntold(sql, limit),
    told: (job: string) => markTold(sql, job),
  }
  return [
    startSweep(queue, { everyMs, leaseMs, take: (options) => takeStalled(sql, options), log }),
    startOrphanSweep(sql, { everyMs, leaseMs, node, tell, log }),
    startExpiry(sql, { everyMs, kept: bounds, log }),
    startRounds({ everyMs, failed: 'cannot look for jobs whose time is over', log }, () =>
      endAllOverdue(sql, { node, ended: (job) => afterEnd(sql, job, told), log }),
    ),
    startRounds({ everyMs, failed: 'cannot send the dead letters', log }, () =>
      sendDeadLetters(queue, letters),
    ),
    keepFolders(workDir, { everyMs, node, log }),
  ]
}

/** Ends at once what is still starting; what runs is drained, then interrupted. Every step has its time. */
async function stop(why: string): Promise<void> {
  if (stopping) return
  stopping = true
  if (!running) {
    log.info('stopped while starting', { why })
    process.exit(0)
  }
  const { config, sql, queue, pool, consumption } = running
  const { drainMs } = config.bounds
  log.info('draining', { why })
  const drained = consumption.stop()
  if (!(await within(drainMs, drained))) {
    log.warn('the time to drain is over; what runs is interrupted and put back', { drainMs })
    pool.interrupt()
    if (!(await within(STOP_MS.interrupt, drained)))
      log.warn('a task could not be interrupted; its lease has to run out')
  }
  const sweeps = Promise.all(running.sweeps.map((sweep) => sweep.stop()))
  await Promise.all([pool.stop(), within(STOP_MS.threads, sweeps)])
  await within(STOP_MS.links, Promise.all([queue.close(), sql.end()]))
  log.info('stopped')
  process.exit(0)
}

/**
 * Two DuckDB queries on two cores take the whole native pool of its default size, and then no file, DNS or zlib
 * call of the process moves. The size is read before any JavaScript runs, so it can only be asked for here, not
 * set.
 */
function requireNativePool(config: Config): void {
  const least = nativePoolSize(config.threads)
  const found = givenNativePoolSize()
  if (found >= least) return
  throw new Error(
    `UV_THREADPOOL_SIZE: found ${found || 'nothing'}, expected ${least} or more for ${config.threads} threads. ` +
      'Start the worker through src/main.ts, or set it in the real environment (not in .env).',
  )
}

async function untilMigrated(sql: Sql): Promise<void> {
  let toldAt = -Infinity
  while (!(await isMigrated(sql).catch(() => false))) {
    if (performance.now() - toldAt >= DATABASE_LOG_MS) {
      log.info('waiting for the database')
      toldAt = performance.now()
    }
    await Bun.sleep(DATABASE_RETRY_MS)
  }
}
