import { findOnce, type Once } from '../db/idempotency.ts'
import { insertJob, type NewJob, saveContract } from '../db/jobs.ts'
import { type Sql, sqlState } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import { isFiguraName } from '../figura/load.ts'
import { type Figura, loadOf, type Mode } from '../figura/types.ts'
import { publicUrl } from '../job.ts'
import { errorFields, type Log } from '../log.ts'
import { sealQueries } from '../seal.ts'
import { checkSource } from '../source/check.ts'
import { addressesOf } from './addresses.ts'
import type { Caller } from './caller.ts'
import { findFigura, type ServedFigura } from './find-figura.ts'
import { inTime } from './in-time.ts'
import { onceOf, requireSame } from './once.ts'
import { unavailable } from './problem.ts'
import { openRoom, type QueueLimits } from './room.ts'
import type { Accepted, Submission } from './schemas.ts'

/** Called when a job's row is committed. The job is accepted whatever comes of it. */
export type OnAccepted = (job: { id: string; figura: string; ring: 0 }) => void

/** What is sent for loading, as far as a look at the files has to know it. */
export type Sent = {
  figura: Figura
  urls: string[]
  sha256: string | null
  etag: string | null
  mode: Mode | null
}

/** Looks at files before they are accepted. Resolves when there is nothing against them, or no answer in time. */
export type Preflight = (sent: Sent) => Promise<void>

export type AcceptDependencies = {
  sql: Sql
  allowLoopback: boolean
  /** What queries of addresses are sealed with; absent: such addresses are refused. */
  secretKey?: string | undefined
  accepted: OnAccepted
  /** How long a request that is sent again with its key has the answer of the first one. */
  idempotencyMs: number
  /** The addresses that one with a `*` stands for at this moment. */
  list: (pattern: string) => Promise<string[]>
  /** Absent: whatever is sent is accepted, and the worker finds out. */
  preflight?: Preflight
  queue: QueueLimits
  log: Log
}

/**
 * Who sends a file; with `key` the same request may be sent again, and makes no second job.
 * `retryOf`: the job that is done again.
 */
export type Sender = { caller: Caller; key?: string; retryOf?: string }

/** What is answered. `replayed`: it was accepted before, under the same key. */
export type Answered = { job: Accepted; replayed: boolean }

/** Accepts the files that a body names for the figura of that name. */
export type Accept = (figura: string, body: Submission, sender: Sender) => Promise<Answered>

/**
 * Makes the function that accepts files for a figura: it looks whether it did so before, and for room in the queue,
 * checks the addresses, has a look taken at the files, commits the job's row, and tells of it. An app has one of them,
 * which counts the places in the queue for all addresses that make jobs.
 * @throws BulkError figura_unknown, figura_broken, mode_refused, queue_full, body_invalid, source_refused,
 * source_empty, idempotency_key_reused, unavailable; what is against the files; or what PostgreSQL says
 */
export function acceptJob(dependencies: AcceptDependencies): Accept {
  const { sql, secretKey, accepted, preflight, queue, idempotencyMs, log } = dependencies
  const contracts = new Set<string>()
  const takePlace = openRoom(sql, queue)
  return async (name, body, { caller, key, retryOf }) => {
    const named = key !== undefined && isFiguraName(name)
    const asked = { caller: caller.id, figura: name, keepMs: idempotencyMs }
    const once = named
      ? onceOf({ ...body, ...(retryOf && { retry_of: retryOf }) }, { ...asked, key })
      : undefined
    const before = once && (await inTime(findBefore(sql, once)))
    if (before) return before
    const served = findFigura(caller.figuras, name)
    refuseMode(served, body.mode, retryOf)
    const giveBack = await takePlace(served.name, caller.id)
    try {
      const { url, urls } = await findFiles(served, body, dependencies)
      const sent = {
        sha256: body.sha256?.toLowerCase() ?? null,
        etag: body.etag === undefined ? null : `"${body.etag.replaceAll('"', '')}"`,
        mode: body.mode ?? loadOf(served.figura).mode,
      }
      const id = Bun.randomUUIDv7()
      const secret = sealQueries(urls ?? [url], { job: id, key: secretKey })
      await preflight?.({ figura: served.figura, urls: urls ?? [url], ...sent })
      const figura = served.name
      const shown = { url: publicUrl(url), urls: urls?.map(publicUrl) ?? null }
      const row = { id, figura, contract: served.hash, ...shown, secret, ...sent }
      const job = { ...row, dryRun: body.dry_run ?? null, caller: caller.id || null, retryOf }
      if (await inTime(keepJob(sql, contracts, served, job, once))) {
        tell(accepted, { id, figura, ring: 0 }, log)
        return { job: answerOf(id, figura), replayed: false }
      }
    } catch (error) {
      giveBack()
      throw error
    }
    giveBack()
    return await inTime(findTwin(sql, once))
  }
}

function answerOf(id: string, figura: string): Accepted {
  return { id, figura, status: 'enfileirado', status_url: `/${figura}/_bulk/status/${id}` }
}

/** The answer that a request with this key had before. */
async function findBefore(sql: Sql, once: Once): Promise<Answered | undefined> {
  const found = await findOnce(sql, once)
  if (!found) return undefined
  requireSame(once, found)
  return { job: answerOf(found.job, once.figura), replayed: true }
}

/** The answer of the request with the same key that was accepted while this one was looked at. */
async function findTwin(sql: Sql, once: Once | undefined): Promise<Answered> {
  const twin = once && (await findBefore(sql, once))
  if (!twin) throw unavailable('a request with this key that has just been forgotten')
  return twin
}

/** The addresses of the files, each of which the figura admits; those of a pattern as they are now. */
async function findFiles(
  { figura }: ServedFigura,
  body: Submission,
  { allowLoopback, list }: AcceptDependencies,
): Promise<{ url: string; urls: string[] | null }> {
  const { url, urls, pattern } = addressesOf(body)
  for (const one of urls ?? [url]) checkSource(one, figura.sources, { allowLoopback })
  if (!pattern) return { url, urls }
  const found = await list(url)
  for (const one of found) checkSource(one, figura.sources, { allowLoopback })
  return { url, urls: found }
}

/** `retryOf`: a job that is done again has the mode that it had, whatever the figura says by now. */
function refuseMode({ figura }: ServedFigura, mode: Mode | undefined, retryOf: string | undefined): void {
  const load = loadOf(figura)
  const allow = [...new Set([load.mode, ...load.allow])]
  if (mode === undefined || allow.includes(mode)) return
  throw new BulkError(
    'mode_refused',
    {
      subject: `The figura ${figura.name}`,
      found: `the mode ${mode}`,
      expected: allow.join(' or '),
      action: retryOf && 'Send the file anew by PUT, in a mode that `allow` lists or in none.',
    },
    { allow },
  )
}

/** Tries to keep a job: a contract that is cleared away in between, once more by the sweeper, is kept anew. */
const KEEP_TRIES = 3

/**
 * One INSERT, once the contract is known to be kept; `contracts` are those that this process has seen kept. False: the
 * key of the request has a job already.
 */
async function keepJob(
  sql: Sql,
  contracts: Set<string>,
  served: ServedFigura,
  job: NewJob,
  once: Once | undefined,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    if (!contracts.has(served.hash)) await saveContract(sql, served)
    contracts.add(served.hash)
    try {
      return await insertJob(sql, job, once)
    } catch (error) {
      // 23503, foreign_key_violation: somebody has cleared the contracts since
      if (sqlState(error) !== '23503' || tries === KEEP_TRIES) throw error
      contracts.delete(served.hash)
    }
  }
}

/**
 * The answer neither waits for the doorbell nor fails with it: a job that nobody rang for is found by the
 * sweeper.
 */
function tell(accepted: OnAccepted, job: Parameters<OnAccepted>[0], log: Log): void {
  Promise.resolve(job)
    .then(accepted)
    .catch((error: unknown) =>
      log.warn('The doorbell of a job failed', { job: job.id, ...errorFields(error) }),
    )
}
