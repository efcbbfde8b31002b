import type { Accepted, JobStatus } from '../../src/api/schemas.ts'

export type Loaded = JobStatus & { wallMs: number }

/** A share of the time that has gone by, so that asking is no load: every 2 to 5 ms it took 9 % of two cores. */
const POLL_SHARE = 0.01
const POLL_MS = { min: 10, max: 25 }

type LoadOptions = {
  /** How often it is asked; absent: the longer it takes the more seldom. */
  pollMs?: number
  /** Called when the job is first seen to be merged. */
  onMerge?: () => void
}

/**
 * Sends a file's address and asks until the job has ended.
 * @returns its last status, and the time from sending the request to the answer that said `completo`
 * @throws Error with the problem's sentence when the job ended otherwise
 */
export async function load(
  api: string,
  figura: string,
  url: string,
  { pollMs, onMerge }: LoadOptions = {},
): Promise<Loaded> {
  const startedAt = performance.now()
  const { status_url } = await submit(api, figura, url)
  let merging = false
  while (true) {
    const elapsedMs = performance.now() - startedAt
    await Bun.sleep(pollMs ?? Math.min(POLL_MS.max, Math.max(POLL_MS.min, elapsedMs * POLL_SHARE)))
    const job = (await answer(`${api}${status_url}`)) as JobStatus
    if (!merging && (job.phase === 'merge' || job.status === 'completo')) {
      merging = true
      onMerge?.()
    }
    if (job.status === 'enfileirado' || job.status === 'processando') continue
    if (job.status === 'completo') return { ...job, wallMs: performance.now() - startedAt }
    throw new Error(`the job of ${url} ended in ${job.status}: ${job.error?.detail ?? 'no reason given'}`)
  }
}

/** Sends a file's address. @throws Error when it is not accepted */
export async function submit(api: string, figura: string, url: string): Promise<Accepted> {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'PUT', headers, body: JSON.stringify({ url }) }
  return (await answer(`${api}/${figura}/_bulk`, init)) as Accepted
}

async function answer(address: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(address, init)
  if (response.ok) return response.json()
  throw new Error(
    `${init.method ?? 'GET'} ${address} was answered with ${response.status}: ${await response.text()}`,
  )
}
