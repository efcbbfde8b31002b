import postgres from 'postgres'
import { claimJob } from '../../src/db/claims.ts'
import { hasEarlier, nextWaiting } from '../../src/db/ends.ts'
import { deleteOldKeys, findOnce } from '../../src/db/idempotency.ts'
import { findJob, insertJob, listJobs, readJobLog, takeStalled } from '../../src/db/jobs.ts'
import { deleteLeftMarks, findLeftStages } from '../../src/db/leftovers.ts'
import { takeDecided } from '../../src/db/parts.ts'
import type { Sql } from '../../src/db/postgres.ts'
import { deleteOldJobs, deleteUnusedContracts } from '../../src/db/retention.ts'
import { freshDatabase } from '../support/servers.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'
import { fillJobs, idOf } from './job-history.ts'

/** Jobs of the history that the other one is held against. */
const FEW = 4000

/** Blocks that a question may read beyond twice those of a short history: an index is one or two deeper. */
const SPARE_BLOCKS = 10

type Asked = { text: string; parameters: unknown[] }
type History = AsyncDisposable & { sql: Sql; asked: Asked[]; middle: string; newest: string }
type Question = (history: History) => Promise<unknown>

/** A long history of jobs makes nothing slow that the service asks of its tables. */
export const millionJobs: Drill = {
  name: 'million-jobs',
  about: 'a history of a million jobs: whatever is asked of it reads as few blocks as with some thousands',
  runs: { small: 100_000, full: 1_000_000 },
  run: async (trial) => {
    await using few = await openHistory(FEW)
    await using many = await openHistory(trial.runs)
    const tally = clean()
    for (const [what, ask] of Object.entries(QUESTIONS)) await hold(what, ask, { few, many }, tally, trial)
    return tally
  },
}

const once = { caller: '', figura: 'f1', key: 'k', body: 'b', keepMs: 1000 }
const page = { status: undefined, before: undefined, limit: 51 }
const newJob = { figura: 'f1', contract: 'c1', url: 's3://a/b', sha256: null }

const QUESTIONS: Record<string, Question> = {
  'the status of a job': ({ sql, middle }) => findJob(sql, 'f0', middle),
  'a list of jobs': ({ sql }) => listJobs(sql, 'f1', page),
  'a later page': ({ sql, middle }) => listJobs(sql, 'f1', { ...page, before: middle }),
  'a list of jobs that failed': ({ sql }) => listJobs(sql, 'f7', { ...page, status: 'erro' }),
  'a list of which there is none': ({ sql }) => listJobs(sql, 'f1', { ...page, status: 'cancelado' }),
  'the log of a job': ({ sql, middle }) => readJobLog(sql, middle, 1000),
  'a key that is not there': ({ sql }) => findOnce(sql, once),
  'a new job': ({ sql }) => insertJob(sql, { ...newJob, id: Bun.randomUUIDv7() }),
  'a new job with a key': ({ sql }) => insertJob(sql, { ...newJob, id: Bun.randomUUIDv7() }, once),
  'a claim': ({ sql, newest }) =>
    claimJob(
      sql,
      { job: newest, figura: 'f1', orEarliest: true },
      { leaseMs: 1000, attempts: 5, jobMs: 3_600_000 },
    ),
  'whether an earlier job is alive': ({ sql }) => hasEarlier(sql, { figura: 'f1', seq: 2 ** 40 }),
  'the next job of a figura': ({ sql }) => nextWaiting(sql, 'f1'),
  'jobs that stand still': ({ sql }) => takeStalled(sql, { overdueMs: 0, nextMs: 1000, limit: 10 }),
  'merges that are decided': ({ sql }) => takeDecided(sql, { leaseMs: 1000, limit: 10 }),
  'jobs that are too old': ({ sql }) => deleteOldJobs(sql, { days: 90, limit: 1000 }),
  'keys that are too old': ({ sql }) => deleteOldKeys(sql, { keepMs: 1000, limit: 1000 }),
  'contracts that no job has': ({ sql }) => deleteUnusedContracts(sql, { limit: 100 }),
  'stages that were left': ({ sql }) => findLeftStages(sql, 100),
  'marks that were left': ({ sql }) => deleteLeftMarks(sql, 100),
}

async function hold(
  what: string,
  ask: Question,
  { few, many }: { few: History; many: History },
  tally: Tally,
  { say }: Trial,
): Promise<void> {
  const [little, much] = [await costOf(few, ask), await costOf(many, ask)]
  const [before, after] = [await medianMs(few, ask), await medianMs(many, ask)]
  const grown = much.blocks > little.blocks * 2 + SPARE_BLOCKS
  const whole = much.scans.includes('job')
  if (grown || whole) tally.unexpected++
  say(
    `${what}: ${little.blocks} and ${much.blocks} blocks, ${before.toFixed(2)} and ${after.toFixed(2)} ms` +
      (grown ? ', too many' : '') +
      (whole ? ', reads all jobs' : ''),
  )
}

async function openHistory(jobs: number): Promise<History> {
  const database = await freshDatabase()
  const asked: Asked[] = []
  const sql = postgres(database.url, {
    max: 1,
    onnotice: () => {},
    transform: { column: { from: postgres.toCamel } },
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    debug: (_connection, text, parameters) => void asked.push({ text, parameters }),
  })
  await fillJobs(sql, jobs, 'c')
  const idAt = async (number: number) => {
    const [row] = await sql.unsafe<{ id: string }[]>(`select ${idOf(String(number))} as id`)
    return row?.id ?? ''
  }
  return {
    ...{ sql, asked, middle: await idAt(jobs / 2), newest: await idAt(jobs + 1) },
    [Symbol.asyncDispose]: async () => {
      await sql.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

type Plan = {
  'Node Type': string
  'Relation Name'?: string
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}

/** The blocks that a question reads, and the tables that it reads as a whole. */
async function costOf(history: History, ask: Question): Promise<{ blocks: number; scans: string[] }> {
  history.asked.length = 0
  await undone(history, (inside) => ask(inside))
  const statements = history.asked.filter(({ text }) => /^\s*(with|select|insert|update|delete)/i.test(text))
  const cost = { blocks: 0, scans: [] as string[] }
  for (const { text, parameters } of statements) {
    await undone(history, async ({ sql }) => {
      const explain = `explain (analyze, buffers, format json) ${text}`
      const [row] = await sql.unsafe(explain, parameters as never[]).values()
      const plan: Plan = row?.[0][0].Plan
      cost.blocks += plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
      cost.scans.push(...scansOf(plan))
    })
  }
  return cost
}

function scansOf(plan: Plan): string[] {
  const own = plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? ''] : []
  return [...own, ...(plan.Plans ?? []).flatMap(scansOf)]
}

/** The median of 21 tries. */
async function medianMs(history: History, ask: Question): Promise<number> {
  const times: number[] = []
  for (let tries = 0; tries < 21; tries++) {
    await undone(history, async (inside) => {
      const started = performance.now()
      await ask(inside)
      times.push(performance.now() - started)
    })
  }
  return times.toSorted((a, b) => a - b)[10] ?? 0
}

const UNDO = new Error('undone')

/** Asks in a transaction that is rolled back, so that each finds the same tables. */
async function undone(history: History, ask: Question): Promise<void> {
  try {
    await history.sql.begin(async (tx) => {
      // a question is asked of a transaction as it is of the connections
      await ask({ ...history, sql: tx as unknown as Sql })
      throw UNDO
    })
  } catch (error) {
    if (error !== UNDO) throw error
  }
}
