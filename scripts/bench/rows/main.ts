import { amount } from '../../steps.ts'
import { laterData, mainData } from '../data.ts'
import { contest, type Contest } from '../contest.ts'
import { check, figures, type Row, row, spread } from '../figures.ts'
import { limitOf } from '../limit.ts'
import { describePeers, measurePeers } from '../peers.ts'
import { prepareReady, type Ready } from '../prepare.ts'
import type { Reference } from '../reference.ts'
import type { Rig } from '../rig.ts'
import { emptyTables, restoreTable, settle } from '../target.ts'
import { sumUsage } from '../usage.ts'

/** Rows 1 to 4: the main file into an empty table, again, and once more when it has changed. */
export async function mainRows(rig: Rig, reference: Reference): Promise<Row[]> {
  const { rows, seed, only } = rig.options
  const file = await prepareReady(rig, mainData('main', rows, seed))
  const details = {
    rows,
    columns: 13,
    parquetBytes: file.bytes,
    copyBytes: file.binaryBytes,
    reference: reference.name,
  }
  const result: Row[] = []
  let firstLoadWal: number | undefined
  if (only.includes(2) || only.includes(3)) {
    const first = await contest(rig, reference, file, (table) => emptyTables(rig.sql, [table]))
    firstLoadWal = medianWal(first)
    result.push(wholeRow(2, `whole job: ${amount(rows)} rows, empty target`, 0.8, first, details))
  }
  if (only.includes(1) || only.includes(3)) {
    // a table with rows in it: into an empty one the file goes without a stage
    const again = await contestAgain(rig, reference, file)
    const share = (medianWal(again) / (firstLoadWal ?? NaN)) * 100
    const checks = firstLoadWal === undefined ? [] : [check('WAL, of that of the first load', share, 1, '%')]
    result.push(
      stageRow(again, details),
      wholeRow(3, 'whole job: the same file again', 0.9, again, details, checks),
    )
  }
  const whole = result.find(({ id }) => id === 2)
  if (whole && only.includes(2)) {
    const peers = await measurePeers(rig, file)
    whole.details = { ...whole.details, peers }
    whole.notes.push(...describePeers(peers, whole.ours))
  }
  if (only.includes(4)) result.push(await laterRow(rig, reference, file))
  return result.filter((one) => only.includes(one.id))
}

/** Both tables hold the file already, and keep it: only what is dirty is written out between the runs. */
async function contestAgain(rig: Rig, reference: Reference, file: Ready): Promise<Contest> {
  for (const table of [file.tables.ours, file.tables.reference])
    await restoreTable(rig.sql, table, file.binary)
  return contest(rig, reference, file, (table) => settle(rig.sql, [table]))
}

async function laterRow(rig: Rig, reference: Reference, first: Ready): Promise<Row> {
  const { rows, seed } = rig.options
  const later = await prepareReady(rig, laterData('later', rows, seed))
  const found = await contest(rig, reference, later, (table) => restoreTable(rig.sql, table, first.binary))
  const details = { rows: later.dataset.rows, parquetBytes: later.bytes, reference: reference.name }
  return wholeRow(4, 'whole job: 10 % of rows changed, 5 % new', 0.9, found, details)
}

/** From the status of the job: planning and staging, against the COPY alone. */
function stageRow(found: Contest, details: Row['details']): Row {
  const ours = found.ours.map(
    ({ value: { timings_ms } }) => ((timings_ms.plan ?? 0) + (timings_ms.stage ?? 0)) / 1000,
  )
  const reference = found.reference.map(({ value }) => value.copyMs / 1000)
  const own = figures(
    { name: 'stage: parquet on S3 to rows in the stage, 2 threads', unit: 's', target: 1.1 },
    { ours, reference },
  )
  return row(1, own, {
    details,
    limit: limitOf(sumUsage(found.ours.map(({ staging }) => staging))),
    difference: found.difference,
  })
}

/** From sending the request to `completo`, against the whole session of the reference. */
export function wholeRow(
  id: number,
  name: string,
  target: number,
  found: Contest,
  details: Row['details'],
  checks: Row['checks'] = [],
): Row {
  const own = figures({ name, unit: 's', target }, wallSeconds(found))
  const notes = phaseNotes(found)
  return row(id, own, { details, checks, limit: limitOfContest(found), notes, difference: found.difference })
}

/** Wall times of both sides. */
export function wallSeconds(found: Contest): { ours: number[]; reference: number[] } {
  return {
    ours: found.ours.map(({ value }) => value.wallMs / 1000),
    reference: found.reference.map(({ value }) => value.wallMs / 1000),
  }
}

/** What held up the service in all runs together; the reference's times stand in its own. */
export function limitOfContest(found: Contest): string {
  return limitOf(sumUsage(found.ours.map(({ usage }) => usage)))
}

/** The two phases of a job are held up by different things. */
function phaseNotes({ ours }: Contest): string[] {
  const staging = limitOf(sumUsage(ours.map((one) => one.staging)))
  const merging = limitOf(sumUsage(ours.map((one) => one.merging)))
  return [`  up to the merge: ${staging}`, `  from there on: ${merging}`]
}

function medianWal({ ours }: Contest): number {
  return spread(ours.map(({ walBytes }) => walBytes)).median
}
