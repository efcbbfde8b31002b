import { contest } from '../contest.ts'
import { type Dataset, shapes } from '../data.ts'
import { figures, type Row, row, skippedRow, worst } from '../figures.ts'
import { prepareReady } from '../prepare.ts'
import type { Reference } from '../reference.ts'
import type { Rig } from '../rig.ts'
import { emptyTables } from '../target.ts'
import { limitOfContest, wallSeconds } from './main.ts'

const NAME = 'whole job, other shapes (the worst of them)'

/** Row 5: files of other shapes into an empty table. The row itself shows the one that fares worst. */
export async function shapeRows(rig: Rig, reference: Reference): Promise<Row[]> {
  const parts: Row['parts'] = []
  const details: Row['details'] = { reference: reference.name }
  const differences: string[] = []
  const failures: string[] = []
  for (const dataset of shapes(rig.options.rows, rig.options.seed)) {
    try {
      const { part, sizes, difference } = await runShape(rig, reference, dataset)
      parts.push(part)
      details[dataset.name] = sizes
      if (difference) differences.push(difference)
    } catch (error) {
      // one shape that cannot be loaded does not cost the others
      const why = `${dataset.title}: ${error instanceof Error ? error.message : error}`
      rig.say(`row 5 failed: ${why}`)
      failures.push(why)
    }
  }
  const difference = differences.join('; ') || null
  if (parts.length === 0) return [{ ...skippedRow(5, NAME, failures.join('; ')), failed: true }]
  const made = row(5, { ...worst(parts), name: NAME }, { parts, details, difference })
  if (failures.length === 0) return [made]
  return [{ ...made, met: false, failed: true, notes: failures.map((why) => `FAILED: ${why}`) }]
}

async function runShape(rig: Rig, reference: Reference, dataset: Dataset) {
  const file = await prepareReady(rig, dataset)
  const found = await contest(rig, reference, file, (table) => emptyTables(rig.sql, [table]))
  const name = `${dataset.title}, ${dataset.rows.toLocaleString('en-US')} rows`
  return {
    part: { ...figures({ name, unit: 's', target: 1 }, wallSeconds(found)), limit: limitOfContest(found) },
    sizes: { rows: dataset.rows, parquetBytes: file.bytes, copyBytes: file.binaryBytes },
    difference: found.difference,
  }
}
