import { insertJob, type NewJob, saveContract } from '../db/jobs.ts'
import { type Sql, sqlState } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import type { Figuras } from '../figura/load.ts'
import { type Figura, loadOf, type Mode } from '../figura/types.ts'
import { errorFields, type Log } from '../log.ts'
import { checkSource } from '../source/check.ts'
import { addressesOf } from './addresses.ts'
import { findFigura, type ServedFigura } from './find-figura.ts'
import { inTime } from './in-time.ts'
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
  figuras: Figuras
  allowLoopback: boolean
  accepted: OnAccepted
  /** The addresses that one with a `*` stands for at this moment. */
  list: (pattern: string) => Promise<string[]>
  /** Absent: whatever is sent is accepted, and the worker finds out. */
  preflight?: Preflight
  log: Log
}

/**
 * Makes the function that accepts files for a figura: it checks the addresses, has a look taken at the files, commits
 * the job's row, and tells of it.
 * @throws BulkError figura_unknown, figura_broken, body_invalid, mode_refused, source_refused, source_empty,
 * unavailable; what is against the files; or what PostgreSQL says
 */
export function acceptJob(dependencies: AcceptDependencies) {
  const { sql, figuras, accepted, preflight, log } = dependencies
  const contracts = new Set<string>()
  return async (name: string, body: Submission, retryOf: string | null = null): Promise<Accepted> => {
    const served = findFigura(figuras, name)
    refuseMode(served, body.mode)
    const { url, urls } = await findFiles(served, body, dependencies)
    const sent = {
      sha256: body.sha256?.toLowerCase() ?? null,
      etag: body.etag === undefined ? null : `"${body.etag.replaceAll('"', '')}"`,
      mode: body.mode ?? loadOf(served.figura).mode,
    }
    await preflight?.({ figura: served.figura, urls: urls ?? [url], ...sent })
    const id = Bun.randomUUIDv7()
    const figura = served.name
    const job = {
      id,
      figura,
      contract: served.hash,
      url,
      urls,
      ...sent,
      dryRun: body.dry_run ?? null,
      retryOf,
    }
    await inTime(keepJob(sql, contracts, served, job))
    tell(accepted, { id, figura, ring: 0 }, log)
    return { id, figura, status: 'enfileirado', status_url: `/${figura}/_bulk/status/${id}` }
  }
}

/** The addresses of the files, each of which the figura admits; those of a pattern as they are now. */
async function findFiles(
  { figura }: ServedFigura,
  body: Submission,
  { allowLoopback, list }: AcceptDependencies,
): Promise<{ url: string; urls: string[] | null }> {
  const { url, urls, pattern } = addressesOf(body)
  for (const one of urls ?? [url]) checkSource(one, figura.sources, allowLoopback)
  if (!pattern) return { url, urls }
  const found = await list(url)
  for (const one of found) checkSource(one, figura.sources, allowLoopback)
  return { url, urls: found }
}

function refuseMode({ figura }: ServedFigura, mode: Mode | undefined): void {
  const load = loadOf(figura)
  const allow = [...new Set([load.mode, ...load.allow])]
  if (mode === undefined || allow.includes(mode)) return
  throw new BulkError(
    'mode_refused',
    { subject: `The figura ${figura.name}`, found: `the mode ${mode}`, expected: allow.join(' or ') },
    { allow },
  )
}

/**
 * One INSERT, once the contract is known to be kept; `contracts` are those that this process has seen kept.
 */
async function keepJob(sql: Sql, contracts: Set<string>, served: ServedFigura, job: NewJob): Promise<void> {
  if (contracts.has(served.hash)) {
    try {
      return await insertJob(sql, job)
    } catch (error) {
      // 23503, foreign_key_violation: somebody has cleared the contracts since
      if (sqlState(error) !== '23503') throw error
    }
  }
  await saveContract(sql, served)
  contracts.add(served.hash)
  await insertJob(sql, job)
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
