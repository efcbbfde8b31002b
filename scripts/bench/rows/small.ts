import { join } from 'node:path'
import { mkdirSync } from 'node:fs'
import { upload } from '../../upload.ts'
import { compare } from '../compare.ts'
import { measure } from '../contest.ts'
import { figuraYaml, mainData } from '../data.ts'
import { writeParquet } from '../duck.ts'
import { check, quantile, type Row, row, spread } from '../figures.ts'
import { load, submit } from '../jobs.ts'
import { limitOf } from '../limit.ts'
import { BUCKET, type Rig, writeFigura } from '../rig.ts'
import { emptyTables, makeTarget, tablesOf } from '../target.ts'
import { sumUsage, type Usage } from '../usage.ts'

const ROWS = 1000
const IN_FLIGHT = 16
const FULL = { jobs: 500, single: 200 }
const QUICK = { jobs: 100, single: 50 }

/** A look at how many are alive, every so often: one statement, and not one for each job. */
const LOOK_MS = 5
const POLL_MS = 2

const TARGETS_MS = { p50: 60, p99: 250 }

/** Row 8: many small jobs at once, then one after the other. */
export async function smallRows(rig: Rig): Promise<Row[]> {
  const { quick, runs } = rig.options
  const counts = quick ? QUICK : FULL
  const dataset = mainData('small', ROWS, rig.options.seed)
  const { ours: table } = tablesOf(dataset.name)
  const { folder, urls } = await makeFiles(rig, counts.jobs)
  await makeTarget(rig.sql, dataset)
  writeFigura(rig, dataset.name, figuraYaml(dataset, BUCKET))
  const service = await rig.use({ threads: 2 })
  for (const url of urls.slice(0, 20)) await load(service.url, dataset.name, url)

  const perSecond: number[] = []
  const passes: { p50: number; p99: number }[] = []
  const usages: (Usage | undefined)[] = []
  let difference: string | null = null
  for (let run = 1; run <= runs; run++) {
    await emptyTables(rig.sql, [table])
    const { value: seconds, usage } = await measure(rig, () => sendAll(rig, service.url, urls))
    usages.push(usage)
    perSecond.push(urls.length / seconds)
    const files = join(folder, '*.parquet')
    difference ??= await compare({ ...rig, table, files, columns: dataset.columns })
    await emptyTables(rig.sql, [table])
    passes.push(await oneByOne(service.url, urls.slice(0, counts.single)))
    const last = passes.at(-1)
    rig.say(
      `small, run ${run}: ${(urls.length / seconds).toFixed(1)} jobs/s; one in flight: ` +
        `p50 ${last?.p50.toFixed(0)} ms, p99 ${last?.p99.toFixed(0)} ms`,
    )
  }
  const p50 = spread(passes.map((pass) => pass.p50))
  const p99 = spread(passes.map((pass) => pass.p99))
  const rate = spread(perSecond)
  const name = `small jobs of ${ROWS} rows: p50 of one in flight`
  const none = { reference: null, ratio: null, target: null, atLeast: false, met: null }
  return [
    row(
      8,
      { name, unit: 'ms', ours: p50, ...none },
      {
        checks: [
          check('p50, one in flight', p50.median, TARGETS_MS.p50, 'ms'),
          check('p99, one in flight', p99.median, TARGETS_MS.p99, 'ms'),
        ],
        notes: [
          `${urls.length} jobs, ${IN_FLIGHT} in flight: ${rate.median.toFixed(1)} jobs/s ` +
            `(${rate.min.toFixed(1)}–${rate.max.toFixed(1)})`,
        ],
        limit: `${IN_FLIGHT} in flight: ${limitOf(sumUsage(usages))}`,
        details: { jobs: urls.length, inFlight: IN_FLIGHT, jobsPerSecond: rate, p50Ms: p50, p99Ms: p99 },
        difference,
      },
    ),
  ]
}

async function makeFiles(rig: Rig, count: number): Promise<{ folder: string; urls: string[] }> {
  rig.say(`making ${count} files of ${ROWS} rows`)
  const folder = join(rig.files, 'small')
  mkdirSync(folder)
  const { endpoint, region } = rig.embedded.bucket
  const urls: string[] = []
  for (let at = 0; at < count; at++) {
    const { select } = mainData('small', ROWS, rig.options.seed, at * ROWS)
    const path = join(folder, `${at}.parquet`)
    await writeParquet(rig.duck, select, path)
    urls.push(await upload(path, { endpoint, region, bucket: BUCKET, key: `small/${at}.parquet` }))
  }
  return { folder, urls }
}

/** Keeps so many in flight until all have ended. @returns the seconds that it took */
async function sendAll({ sql }: Rig, api: string, urls: string[]): Promise<number> {
  const startedAt = performance.now()
  const waiting = [...urls]
  while (true) {
    const [row] = await sql<{ live: number }[]>`
      select count(*)::int as live from bulk.job
      where figura = 'small' and status in ('enfileirado', 'processando')`
    const live = row?.live ?? 0
    if (live === 0 && waiting.length === 0) break
    await Promise.all(waiting.splice(0, IN_FLIGHT - live).map((url) => submit(api, 'small', url)))
    await Bun.sleep(LOOK_MS)
  }
  const seconds = (performance.now() - startedAt) / 1000
  const bad =
    await sql`select status, error from bulk.job where figura = 'small' and status <> 'completo' limit 1`
  if (bad.length > 0) throw new Error(`a small job ended otherwise: ${JSON.stringify(bad[0])}`)
  return seconds
}

async function oneByOne(api: string, urls: string[]): Promise<{ p50: number; p99: number }> {
  const times: number[] = []
  for (const url of urls) times.push((await load(api, 'small', url, { pollMs: POLL_MS })).wallMs)
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
}
