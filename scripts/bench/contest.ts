import { load, type Loaded } from './jobs.ts'
import type { Ready } from './prepare.ts'
import { compareWithFile } from './prepare.ts'
import type { Reference, ReferenceRun } from './reference.ts'
import type { Rig } from './rig.ts'
import { walBytes } from './target.ts'
import { countUsage, type Usage } from './usage.ts'

export type Measured<T> = { value: T; usage: Usage | undefined; walBytes: number }

/** A job, with what was used until its merge began, and what from then on. */
export type MeasuredJob = Measured<Loaded> & { staging: Usage | undefined; merging: Usage | undefined }

/** Runs of the service and of the reference on the same file, in turns. */
export type Contest = {
  ours: MeasuredJob[]
  reference: Measured<ReferenceRun>[]
  difference: string | null
}

/**
 * Loads a file by the service and by the reference, A B A B, each from a state that `prepare` brings its table to.
 * Afterwards the table is compared with the file.
 */
export async function contest(
  rig: Rig,
  reference: Reference,
  file: Ready,
  prepare: (table: string) => Promise<void>,
): Promise<Contest> {
  const { dataset, tables, binary } = file
  const service = await rig.use({ threads: 2 })
  const result: Contest = { ours: [], reference: [], difference: null }
  for (let run = 1; run <= rig.options.runs; run++) {
    await prepare(tables.ours)
    const ours = await measureJob(rig, service.url, file)
    result.ours.push(ours)
    await rig.sql.unsafe(`truncate ${tables.stage}`)
    await prepare(tables.reference)
    const job = { url: rig.embedded.postgres.url, dataset, tables, file: binary }
    const theirs = await measure(rig, () => reference.run(job))
    result.reference.push(theirs)
    const { queue, plan, stage, merge } = ours.value.timings_ms
    rig.say(
      `${dataset.name}, run ${run}: ours ${inSeconds(ours.value.wallMs)} ` +
        `(queue ${queue}, plan ${plan}, stage ${stage}, merge ${merge} ms), ` +
        `reference ${inSeconds(theirs.value.wallMs)} (${inSeconds(theirs.value.copyMs)} copy)`,
    )
  }
  await rig.sql.unsafe(`truncate ${tables.stage}`)
  result.difference = await compareWithFile(rig, file)
  return result
}

/** Loads a file by the service and tells what that used of the machine, before and during the merge. */
export async function measureJob(
  rig: Rig,
  api: string,
  { dataset, url }: Pick<Ready, 'dataset' | 'url'>,
): Promise<MeasuredJob> {
  let staging: Usage | undefined
  let endMerge: ReturnType<typeof countUsage> = () => undefined
  const endStaging = countUsage(rig.groups())
  const onMerge = () => {
    staging = endStaging(0)
    endMerge = countUsage(rig.groups())
  }
  const whole = await measure(rig, () => load(api, dataset.name, url, { onMerge }))
  return { ...whole, staging, merging: endMerge(0) }
}

/** Does some work and tells what it used of the machine. */
export async function measure<T>(rig: Rig, work: () => Promise<T>): Promise<Measured<T>> {
  const wal = await walBytes(rig.sql)
  const end = countUsage(rig.groups())
  const value = await work()
  const spent = end(0)
  const written = (await walBytes(rig.sql)) - wal
  return { value, usage: spent && { ...spent, walBytes: written }, walBytes: written }
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
