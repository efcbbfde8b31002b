import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Rig } from '../support/rig.ts'
import { until, type Answer } from '../support/service.ts'
import type { Case, Step } from './case.ts'
import { differences } from './differences.ts'
import { fileBytes } from './files.ts'
import { readRows } from './rows.ts'

type Body = Record<string, unknown>

/** Runs a case through the service; gives what is not as it should be, one line each. */
export async function runCase(rig: Rig, one: Case): Promise<string[]> {
  const base = `${one.name}/`
  const text = one.figura(rig.bucket.url(base))
  writeFileSync(join(rig.figuras, `${one.name}.yaml`), text)
  const key = keyOf(text)
  for (const [at, step] of one.steps.entries()) {
    const found = await runStep(rig, { name: one.name, key, base: `${base}${at + 1}/`, step })
    // later steps build on this one
    if (found.length) return found.map((line) => `step ${at + 1}: ${line}`)
  }
  return []
}

type Running = { name: string; key: string[]; base: string; step: Step }

async function runStep(rig: Rig, running: Running): Promise<string[]> {
  const { name, step, key } = running
  const table = `public.${name}`
  if (step.before) await rig.sql.unsafe(step.before.replaceAll('$table', table))
  const before = await contents(rig, table, key)
  const { sent, status } = await send(rig, running)
  const after = await contents(rig, table, key)
  const found = [...outcome(step, sent, status), ...(await details(rig, step, { name, status }))]
  const untouched = step.error !== undefined || step.send?.dry_run !== undefined
  if (untouched && !Bun.deepEquals(before, after))
    found.push(`the table changed: ${JSON.stringify(before)} to ${JSON.stringify(after)}`)
  if (step.table) found.push(...differences(step.table, after.table, 'table'))
  if (step.history) found.push(...differences(step.history, after.history, 'history'))
  if (step.asks) {
    const rows = await rig.sql.unsafe(step.asks.sql.replaceAll('$table', table))
    found.push(...differences(step.asks.gives, [...rows], 'asks'))
  }
  return found
}

async function contents(rig: Rig, table: string, key: string[]) {
  return {
    table: await readRows(rig.sql, table, key),
    history: await readRows(rig.sql, `${table}_history`, [...key, 'valid_from']),
  }
}

/** Puts the files into the bucket, asks for the job, and follows it to its end where there is one. */
async function send(
  rig: Rig,
  { name, base, step }: Running,
): Promise<{ sent: Answer; status: Body | undefined }> {
  const urls: string[] = []
  let digest = ''
  for (const [at, spec] of (step.files ?? (step.file ? [step.file] : [])).entries()) {
    const bytes = await fileBytes(spec, rig.folder)
    digest = new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
    const path = `${base}${spec.name ?? at}`
    await rig.bucket.put(path, bytes)
    urls.push(rig.bucket.url(path))
  }
  const { url, sha256, ...more } = step.send ?? {}
  const address = typeof url === 'string' ? absolute(rig, base, url) : urls[0]
  const several = step.files && url === undefined
  const sent = await rig.service.put(`/${name}/_bulk`, {
    ...(several ? { urls } : { url: address }),
    ...(sha256 === undefined ? {} : { sha256: sha256 === true ? digest : sha256 }),
    ...more,
  })
  const status = sent.status === 202 ? await ended(rig, String(sent.body.status_url)) : undefined
  return { sent, status }
}

function absolute(rig: Rig, base: string, url: string): string {
  return url.includes('://') ? url : rig.bucket.url(`${base}${url}`)
}

/** As the service's own ended(), at a slower pace: eight cases ask at once. */
function ended(rig: Rig, statusUrl: string): Promise<Body> {
  return until(`${statusUrl} has ended`, async () => {
    const { body } = await rig.service.get(statusUrl)
    if (['completo', 'erro', 'cancelado'].includes(String(body.status))) return body
    await Bun.sleep(30)
    return undefined
  })
}

/** A file is refused at once or by its job, as fast as its source answers. */
function outcome({ error }: Step, { status: code, body }: Answer, job: Body | undefined): string[] {
  const problem = job ? job.error : body
  if (!error) {
    if (job?.status === 'completo') return []
    return [`expected completo, found ${job ? String(job.status) : code}: ${JSON.stringify(problem)}`]
  }
  if (job && job.status !== 'erro') return [`expected ${error.code}, found ${JSON.stringify(job)}`]
  const { says = [], ...fields } = error
  const found = differences(fields, problem, 'error')
  const { detail = '' } = problem as { detail?: string }
  const missing = says.filter((part) => !detail.includes(part)).map((part) => `error: no "${part}" in it`)
  const all = [...found, ...missing]
  return all.length ? [...all, `the error is ${JSON.stringify(problem)}`] : []
}

/** What the status and the list of rejects say. */
async function details(
  rig: Rig,
  step: Step,
  { name, status }: { name: string; status: Body | undefined },
): Promise<string[]> {
  const found: string[] = []
  if (step.status) found.push(...differences(step.status, status ?? null, 'status'))
  if (step.impact) found.push(...differences(step.impact, status?.impact, 'impact'))
  if (step.rejects) {
    const { body } = await rig.service.get(`/${name}/_bulk/${String(status?.id)}/rejects?limit=1000`)
    const expected = step.rejects.map((one) =>
      Array.isArray(one) ? { row: one[0], column: one[1], rule: one[2] } : one,
    )
    found.push(...differences(expected, body.rejects, 'rejects'))
  }
  if (status?.status !== 'completo' || step.send?.dry_run) return found
  return [...found, ...statistics(step, status.stats as Record<string, number>)]
}

const STAGED = ['inserted', 'updated', 'unchanged', 'stale', 'deleted'] as const
const COUNTED = ['rejected', 'duplicates', 'removed', ...STAGED] as const

function statistics({ stats }: Step, found: Record<string, number>): string[] {
  const sum = (names: readonly string[]) => names.reduce((total, name) => total + (found[name] ?? 0), 0)
  const broken =
    found.read === sum(['rejected', 'duplicates', 'staged']) && found.staged === sum(STAGED)
      ? []
      : [`the statistics do not add up: ${JSON.stringify(found)}`]
  if (!stats) return broken
  const none = Object.fromEntries(COUNTED.map((name) => [name, 0]))
  return [...broken, ...differences({ ...none, ...stats }, found, 'stats')]
}

/** The order of rows: the figura's key, as its text says it in one line. */
function keyOf(figura: string): string[] {
  return (/^key: *\[(.*)\]/m.exec(figura)?.[1] ?? '').split(',').flatMap((name) => name.trim() || [])
}
