import { availableParallelism } from 'node:os'
import { type MeasuredJob, measureJob } from '../contest.ts'
import { mainData } from '../data.ts'
import { type Figures, figures, type Row, row, worst } from '../figures.ts'
import { load } from '../jobs.ts'
import { isBusy, limitOf } from '../limit.ts'
import { compareWithFile, prepareFile, type Uploaded } from '../prepare.ts'
import type { Rig } from '../rig.ts'
import { emptyTables } from '../target.ts'
import { sumUsage, type Usage } from '../usage.ts'

type Shape = { name: string; threads: number; nodes: number }

const SHAPES: Shape[] = [
  { name: '1 thread', threads: 1, nodes: 1 },
  { name: '2 threads', threads: 2, nodes: 1 },
  { name: '4 threads', threads: 4, nodes: 1 },
  { name: '2 nodes of 1 thread', threads: 1, nodes: 2 },
]

/** Of a perfect speed-up, so much counts as near-linear. */
const NEAR_LINEAR = 0.8

type Runs = { shape: Shape; jobs: MeasuredJob[] }

/**
 * Row 10: the main file with more threads, and with more nodes. Each is met when it is near-linear, or when the CPU of
 * the machine or a backend of PostgreSQL is what there is no more of.
 */
export async function scaleRows(rig: Rig): Promise<Row[]> {
  const { rows, seed, runs } = rig.options
  const file = await prepareFile(rig, mainData('main', rows, seed))
  const warm = await prepareFile(rig, mainData('warm', Math.min(rows, 20_000), seed))
  const all: Runs[] = SHAPES.map((shape) => ({ shape, jobs: [] }))
  for (let run = 1; run <= runs; run++) {
    for (const { shape, jobs } of all) {
      jobs.push(await runShape(rig, shape, file, warm))
      const { timings_ms, wallMs } = jobs.at(-1)?.value ?? { timings_ms: undefined, wallMs: 0 }
      const stage = `stage ${timings_ms?.stage} ms, merge ${timings_ms?.merge} ms`
      rig.say(`${shape.name}, run ${run}: ${(wallMs / 1000).toFixed(2)} s (${stage})`)
    }
  }
  const difference = await compareWithFile(rig, file)
  const [one, ...others] = all
  if (!one) throw new Error('found no shapes')
  const parts = others.flatMap((other) => [stagePart(one, other, rows), wholePart(one, other, rows)])
  const limit = `1 thread: ${limitOf(sumUsage(one.jobs.map(({ usage }) => usage)))}`
  const notes = [
    `met: ${NEAR_LINEAR} of linear, or nothing left of the CPU or of a backend's core, as the limit says`,
  ]
  const name = 'threads 1, 2, 4; nodes 1, 2: the least speed-up'
  return [
    row(
      10,
      { ...worst(parts), name },
      { parts, difference, limit, notes, details: { rows, reference: '1 thread' } },
    ),
  ]
}

async function runShape(rig: Rig, shape: Shape, file: Uploaded, warm: Uploaded): Promise<MeasuredJob> {
  const service = await rig.use({ ...shape, staged: true })
  // every thread is a JavaScript engine of its own, that has to warm up
  const warming = Array.from({ length: shape.threads * shape.nodes * 2 }, () =>
    load(service.url, warm.dataset.name, warm.url, { pollMs: 20 }),
  )
  await Promise.all(warming)
  await emptyTables(rig.sql, [file.tables.ours])
  return measureJob(rig, service.url, file)
}

function stagePart(one: Runs, other: Runs, rows: number): Row['parts'][number] {
  const rate = ({ value: { timings_ms } }: MeasuredJob) =>
    rows / ((timings_ms.plan ?? 0) + (timings_ms.stage ?? 0)) / 1000
  return part(`${other.shape.name}: stage`, one, other, rate, ({ staging }) => staging)
}

function wholePart(one: Runs, other: Runs, rows: number): Row['parts'][number] {
  const rate = ({ value }: MeasuredJob) => rows / value.wallMs / 1000
  return part(`${other.shape.name}: whole job`, one, other, rate, ({ usage }) => usage)
}

function part(
  name: string,
  one: Runs,
  other: Runs,
  rate: (job: MeasuredJob) => number,
  usageOf: (job: MeasuredJob) => Usage | undefined,
): Row['parts'][number] {
  const usage = sumUsage(other.jobs.map(usageOf))
  const measured = { ours: other.jobs.map(rate), reference: one.jobs.map(rate) }
  // more threads than cores cannot be faster than the cores
  const target = Math.min(other.shape.threads * other.shape.nodes, availableParallelism()) * NEAR_LINEAR
  const own: Figures = figures({ name, unit: 'M rows/s', target, atLeast: true }, measured)
  return { ...own, met: own.met || isBusy(usage), limit: limitOf(usage) }
}
