import type { Config } from '../config.ts'
import { openDuckdb } from '../db/duckdb.ts'
import { openPostgres } from '../db/postgres.ts'
import { claimChunk, claimJob, type Chunk, type ClaimedJob } from '../db/claims.ts'
import { completeDryRun } from '../db/ends.ts'
import { forgetRejects } from '../db/rejects.ts'
import { readMarks, releasePending } from '../db/marks.ts'
import type { JobEvent, Outcome, Task } from '../job.ts'
import { createLog } from '../log.ts'
import type { Context } from './context.ts'
import { loadDirect } from './direct.ts'
import { leavesOut } from './duplicates.ts'
import { openFile, type OpenFile } from './file.ts'
import { loadFirst } from './first.ts'
import { Interrupted, JobLost } from './lease.ts'
import { keepOpened } from './opened.ts'
import { modeOf } from './served.ts'
import { planFiles } from './plan.ts'
import { type Facts, factsOf, makeStage, openFiles } from './planned.ts'
import { exhausted } from './settle.ts'
import { stageChunks } from './stage.ts'
import { ensureTarget } from './target.ts'
import { completed, done, finish, merged, mergeAfterChunk, mergeInTurn, planAnew, released } from './turn.ts'
import { tryClaim, work, type Running } from './work.ts'

/** A worker thread's whole job: task in, outcome out; one task at a time. It never throws. */
export type Ingest = {
  run(task: Task): Promise<Outcome>
  /** Hands the running task back at once, with its lease and without costing a try. For a stop that cannot wait. */
  interrupt(): void
  close(): Promise<void>
}

/** Opens what a thread needs, once for its whole life. */
export async function openIngest(
  config: Config,
  thread: number,
  tell: (event: JobEvent) => void,
): Promise<Ingest> {
  const log = createLog({ node: config.node, thread })
  const sql = openPostgres(config.databaseUrl, {
    // COPY, the heartbeat, the records; a merge in parts has no COPY beside it
    max: 2 + config.bounds.mergeConnections,
    name: `bulk ${config.node}/${thread}`,
  })
  const session = openPostgres(config.databaseUrl, { max: 1, name: `bulk ${config.node}/${thread} small` })
  const duckdb = await openDuckdb({ workDir: config.workDir, memoryBytes: config.bounds.duckdbBytes })
  const stop = new AbortController()
  const opened = keepOpened(config.bounds.openedBytes)
  const context: Context = {
    config,
    thread,
    sql,
    session,
    duckdb,
    opened,
    log,
    tell,
    interrupted: stop.signal,
  }
  return {
    run: (task) => (task.kind === 'chunk' ? takeChunk(task, context) : takeJob(task, context)),
    interrupt: () => {
      stop.abort(new Interrupted('the worker stops'))
      duckdb.interrupt()
    },
    close: async () => {
      await duckdb.close()
      await Promise.all([sql.end({ timeout: 5 }), session.end({ timeout: 5 })])
    },
  }
}

/** A job's doorbell: claim it, then do whatever it needs next. */
async function takeJob(task: Extract<Task, { kind: 'job' | 'merge' }>, context: Context): Promise<Outcome> {
  const { bounds } = context.config
  const wish = { ...task, orEarliest: task.kind === 'job' }
  const claim = await tryClaim(context, task, () => claimJob(context.sql, wish, bounds))
  switch (claim.kind) {
    case 'ended':
    case 'paused':
      return done()
    case 'held':
      // a holder that renews its lease in time is alive, and the job needs this doorbell no more
      if (claim.forMs > bounds.leaseMs * ALIVE_SHARE) return done()
      return {
        kind: 'again',
        delayMs: claim.forMs + 100,
        reason: 'somebody works on the job, or it has to wait before the next try',
      }
    case 'unclaimed':
      return claim.outcome
    case 'exhausted': {
      const { job } = claim
      const fence = { job: job.id, attempt: job.attempts }
      return work(job, fence, job.attempts, context, () => Promise.reject(exhausted(job.attempts)))
    }
    case 'claimed': {
      const { job } = claim
      const fence = { job: job.id, attempt: job.attempts }
      if (job.phase === 'plan' && job.attempts === 1)
        context.tell({ figura: job.figura, job: job.id, status: 'processando' })
      return work(job, fence, job.attempts, context, (signal, report) =>
        advance(job, context, { report, signal }),
      )
    }
  }
}

/** Of a lease; it is renewed when a third has passed. */
const ALIVE_SHARE = 0.6

/** A chunk's doorbell: claim it, stage it, and merge when it was the last. */
async function takeChunk(task: Extract<Task, { kind: 'chunk' }>, context: Context): Promise<Outcome> {
  const { config, sql } = context
  const holder = `${config.node}/${context.thread}`
  const claim = await tryClaim(context, task, () =>
    claimChunk(sql, task, { holder, leaseMs: config.bounds.leaseMs }),
  )
  switch (claim.kind) {
    case 'ended':
      return done()
    case 'held':
      return { kind: 'again', delayMs: claim.forMs + 100, reason: 'somebody works on the chunk' }
    case 'unclaimed':
      return claim.outcome
    case 'lost': {
      const { job } = claim
      const fence = { job: job.id, stage: task.stage }
      return work(job, fence, 1, context, (_, report) =>
        planAnew(job, task.stage, context, report, { found: 0, expected: job.chunksTotal + job.checksTotal }),
      )
    }
    case 'claimed': {
      const { job, chunk, claims } = claim
      const { stage } = task
      const fence = { job: job.id, stage, chunk: chunk.no }
      return work(job, fence, claims, context, async (signal, report) => {
        if (claims > config.bounds.attempts) throw exhausted(claims - 1)
        // a thread of this process that lost the chunk may still have its copy open, so each claim has its own
        const name = `${job.id}-${stage}-${chunk.no}-${claims}`
        await using file = await openFile(
          job,
          { name, stage, planned: true, no: chunk.file, chunk },
          context,
          signal,
        )
        const marked = await stageChunks({ job, stage, chunks: [chunk], file }, context, { report, signal })
        return marked.last
          ? mergeAfterChunk(job, stage, context, { report, signal })
          : released(job, stage, marked.released)
      })
    }
  }
}

/** What a claimed job needs next, as its row and its marks tell. */
async function advance(job: ClaimedJob, context: Context, { report, signal }: Running): Promise<Outcome> {
  if (job.stage === null) return plan(job, context, { report, signal })
  if (job.decision) return finish(job, { stage: job.stage, xids: job.decision }, context, { report, signal })
  const marks = await readMarks(context.sql, job.id, job.stage)
  const expected = job.chunksTotal + job.checksTotal
  if (marks.total !== expected)
    return planAnew(job, job.stage, context, report, { found: marks.total, expected })
  if (marks.done === marks.total) return mergeInTurn(job, job.stage, context, { report, signal })
  const pending = await releasePending(context.sql, job.id, job.stage, context.config.bounds.chunksReleased)
  report.warn('stage', 'nothing moved for a while; the chunks that are missing are rung for again', {
    chunks: pending,
  })
  return released(job, job.stage, pending)
}

/**
 * Opens the files, decides the cut, makes the stage. A file of one chunk is staged and merged at once, by the thread
 * that has it open; the chunks of a larger one, or of several files, go to whatever threads are idle, on any node.
 */
async function plan(job: ClaimedJob, context: Context, { report, signal }: Running): Promise<Outcome> {
  const { sql, config } = context
  const started = performance.now()
  await ensureTarget(sql, job.definition, { trial: job.dryRun !== null, signal })
  const stage = job.attempts
  // a try that was put off or handed back is not counted: the first may have been tried before
  if (stage > 1 || leavesOut(job.definition)) await forgetRejects(sql, job.id)
  await using opened = await openFiles(job, context, signal)
  const { files } = opened
  const asked = { figura: job.definition, mode: modeOf(job), sha256: job.sha256, bounds: config.bounds }
  const chunks = planFiles(files, asked)
  const planMs = Math.round(performance.now() - started)
  const facts = factsOf(files, planMs)
  Object.assign(job, facts)
  if (job.dryRun === 'schema') return endSchemaRun(job, facts, context, report)

  const [file, other] = files
  if (!file) throw new Error('A job has a file')
  const alone = !other && chunks.filter((chunk) => chunk.kind === 'rows').length === 1
  const first = alone ? [] : chunks.slice(0, config.bounds.chunksReleased)
  if (!other && !job.dryRun) {
    const loaded = await loadUnstaged(job, { file, chunks, planMs, alone }, context, { report, signal })
    if (loaded) return loaded
  }
  await makeStage(
    job,
    { files, facts },
    chunks.map((chunk) => ({ ...chunk, released: alone || first.includes(chunk) })),
    sql,
  )
  report.info('plan', other ? 'the files are planned' : 'the file is planned', {
    ms: planMs,
    rows: facts.rows,
    bytes: facts.bytes,
    format: facts.format,
    files: files.length,
    chunks: chunks.filter((chunk) => chunk.kind === 'rows').length,
  })

  if (!alone)
    return released(
      job,
      stage,
      first.map((chunk) => chunk.no),
    )
  const marked = await stageChunks({ job, stage, chunks, file }, context, { report, signal })
  // awaited, or a merge that fails before the files are closed is a rejection that nobody handles, and ends the thread
  return marked.last ? await mergeInTurn(job, stage, context, { report, signal }) : done()
}

/** A trial that only asks whether the files fit. */
async function endSchemaRun(
  job: ClaimedJob,
  facts: Facts,
  context: Context,
  report: Running['report'],
): Promise<Outcome> {
  const fence = { job: job.id, attempt: job.attempts }
  const ended = await context.sql.begin((tx) => completeDryRun(tx, fence, facts))
  if (!ended) throw new JobLost('the job was claimed anew')
  report.info('plan', 'the files fit the figura; nothing more was asked', {
    ms: facts.planMs,
    rows: facts.rows,
  })
  return completed(job, context)
}

/** A small file, or one for a table that is still empty, needs no stage. Undefined: this one does. */
async function loadUnstaged(
  job: ClaimedJob,
  { file, chunks, planMs, alone }: { file: OpenFile; chunks: Chunk[]; planMs: number; alone: boolean },
  context: Context,
  running: Running,
): Promise<Outcome | undefined> {
  const { directRows, firstLoadRows, firstLoadRowBytes } = context.config.bounds
  const { rows, rowGroups } = file.shape
  if (alone && rows <= directRows) {
    const stats = await loadDirect(job, { file, chunks, planMs }, context, running)
    return stats && merged(job, { stats, how: { direct: true } }, context, running.report)
  }
  const bytes = rowGroups.reduce((sum, group) => sum + group.bytes, 0)
  if (rows > firstLoadRows || bytes > rows * firstLoadRowBytes) return undefined
  const stats = await loadFirst(job, { file, chunks, planMs }, context, running)
  return stats && merged(job, { stats, how: { first: true } }, context, running.report)
}
