import type { Accepted, JobStatus } from '../src/api/schemas.ts'
import type { Problem } from '../src/errors.ts'

export type { JobStatus }

/** Shown with every request, where it is set. */
const KEY = process.env.BULK_KEY

/** Tries of a request while the service is away or busy. What is sent twice has the effect of one. */
const TRIES = 8
/** Between two tries: doubled from 200 ms, so that 8 of them bridge a restart of 20 s. */
const WAIT_MAX_MS = 10_000

/**
 * Announces a file to the service.
 * @returns the absolute address of the job's status
 * @throws Error with the problem's sentence
 */
export async function submit(
  api: string,
  figura: string,
  file: { url: string; sha256: string },
): Promise<string> {
  const address = new URL(`/${encodeURIComponent(figura)}/_bulk`, api).href
  const headers = { 'content-type': 'application/json' }
  const answer = await request(address, TRIES, { method: 'PUT', headers, body: JSON.stringify(file) })
  const accepted = (await answer.json()) as Accepted
  return new URL(accepted.status_url, api).href
}

/**
 * Asks for the status until the job has ended, and tells every answer on the way.
 * Waits as long as Retry-After says, but never longer than `pollMaxMs`.
 * @throws Error when the service stays away; the job goes on all the same
 */
export async function follow(
  statusUrl: string,
  { pollMaxMs, onStatus }: { pollMaxMs: number; onStatus: (job: JobStatus) => void },
): Promise<JobStatus> {
  while (true) {
    const answer = await request(statusUrl, TRIES)
    const job = (await answer.json()) as JobStatus
    onStatus(job)
    if (job.status !== 'enfileirado' && job.status !== 'processando') return job
    await Bun.sleep(Math.min(retryAfterMs(answer) ?? 1000, pollMaxMs))
  }
}

/** GET of an address of the API, as JSON, in one try. @throws Error with the problem's sentence */
export async function read<T>(api: string, path: string): Promise<T> {
  const answer = await request(new URL(path, api).href, 1)
  return (await answer.json()) as T
}

async function request(address: string, tries: number, init: RequestInit = {}): Promise<Response> {
  const asked = `${init.method ?? 'GET'} ${address}`
  const headers = new Headers(init.headers)
  if (KEY) headers.set('authorization', `Bearer ${KEY}`)
  for (let tried = 1; ; tried++) {
    const answer = await fetch(address, { ...init, headers, signal: AbortSignal.timeout(30_000) }).catch(
      (error) => {
        const why = error instanceof Error && 'code' in error ? error.code : error
        return new Error(`${asked} got no answer (${why}). Is the service up, and is --api right?`)
      },
    )
    if (answer instanceof Response && answer.ok) return answer
    const passing = answer instanceof Error || [429, 502, 503, 504].includes(answer.status)
    if (!passing || tried === tries) throw answer instanceof Error ? answer : await refusal(asked, answer)
    const waitMs = answer instanceof Response ? retryAfterMs(answer) : undefined
    await Bun.sleep(Math.min(waitMs ?? 100 * 2 ** tried, WAIT_MAX_MS))
  }
}

function retryAfterMs(answer: Response): number | undefined {
  const seconds = Number(answer.headers.get('retry-after') ?? NaN)
  return seconds >= 0 ? seconds * 1000 : undefined
}

async function refusal(asked: string, answer: Response): Promise<Error> {
  const text = await answer.text()
  const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json')
  const problem = isProblem ? (JSON.parse(text) as Problem) : undefined
  const said = problem ? `${problem.code}: ${problem.detail}` : text.slice(0, 200)
  return new Error(`${asked} was refused with ${answer.status}: ${said}`)
}
