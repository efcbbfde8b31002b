import { insertJob, saveContract } from '../db/jobs.ts'
import { type Sql, sqlState } from '../db/postgres.ts'
import type { Figuras } from '../figura/load.ts'
import { errorFields, type Log } from '../log.ts'
import { checkSource } from '../source/check.ts'
import { findFigura, type ServedFigura } from './find-figura.ts'
import { inTime } from './in-time.ts'
import type { Accepted, Submission } from './schemas.ts'

/** Called when a job's row is committed. The job is accepted whatever comes of it. */
export type OnAccepted = (job: { id: string; figura: string; ring: 0 }) => void

export type AcceptDependencies = {
  sql: Sql
  figuras: Figuras
  allowLoopback: boolean
  accepted: OnAccepted
  log: Log
}

/**
 * Makes the function that accepts a file for a figura: it checks the address, commits the job's row, and
 * tells of it.
 * @throws BulkError figura_unknown, figura_broken, source_refused, unavailable; or what PostgreSQL says
 */
export function acceptJob({ sql, figuras, allowLoopback, accepted, log }: AcceptDependencies) {
  const contracts = new Set<string>()
  return async (name: string, { url, sha256 }: Submission): Promise<Accepted> => {
    const served = findFigura(figuras, name)
    checkSource(url, served.figura.sources, allowLoopback)
    const id = Bun.randomUUIDv7()
    const figura = served.name
    const job = { id, figura, contract: served.hash, url, sha256: sha256?.toLowerCase() ?? null }
    await inTime(keepJob(sql, contracts, served, job))
    tell(accepted, { id, figura, ring: 0 }, log)
    return { id, figura, status: 'enfileirado', status_url: `/${figura}/_bulk/status/${id}` }
  }
}

type NewJob = Parameters<typeof insertJob>[1]

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
