import { describeMachine, type Machine } from './bench/machine.ts'
import { type Row, skippedRow } from './bench/figures.ts'
import { type Options, readOptions, USAGE } from './bench/options.ts'
import { findReference, type Reference } from './bench/reference.ts'
import { type Rig, startRig } from './bench/rig.ts'
import { mainRows } from './bench/rows/main.ts'
import { apiRows } from './bench/rows/api.ts'
import { boundRows } from './bench/rows/bounds.ts'
import { scaleRows } from './bench/rows/scale.ts'
import { shapeRows } from './bench/rows/shapes.ts'
import { smallRows } from './bench/rows/small.ts'
import { runSession, type Session } from './bench/session.ts'
import { drawSvg } from './bench/svg.ts'
import { drawTable } from './bench/table.ts'

// Measures the service against what somebody could do by hand, on servers of its own: bun run bench --help

/** Rows of the table that are measured together. */
const CHAPTERS: { ids: number[]; measure(rig: Rig, reference: Reference): Promise<Row[]> }[] = [
  { ids: [1, 2, 3, 4], measure: mainRows },
  { ids: [5], measure: shapeRows },
  { ids: [8], measure: smallRows },
  { ids: [9], measure: apiRows },
  { ids: [10], measure: scaleRows },
  { ids: [6, 7], measure: boundRows },
]

const options = chosen()
if (options) process.exit(await runSession((session) => bench(options, session)))

async function bench(options: Options, session: Session): Promise<number> {
  const rig = await startRig(options, session)
  const machine = await describeMachine(rig)
  const reference = findReference()
  const rows: Row[] = []
  // chapters go by their cost; the rows are told in their order
  for (const { ids, measure } of CHAPTERS) {
    if (!ids.some((id) => options.only.includes(id))) continue
    rows.push(...(await measure(rig, reference).catch((error: unknown) => failed(ids, error, session))))
  }
  rows.sort((a, b) => a.id - b.id)
  console.log(`${head(machine, reference)}\n\n${drawTable(rows)}`)
  const chart = {
    title: 'Each figure in its own target: what ends before the line has met it',
    footer: [machine.cpu, machine.versions, machine.data, machine.date],
  }
  if (options.svg) await Bun.write(options.svg, drawSvg(rows, chart))
  if (options.json) await Bun.write(options.json, `${JSON.stringify(rows, null, 2)}\n`)
  return rows.some((row) => row.difference !== null || row.failed) ? 1 : 0
}

/** A row that cannot be measured does not cost the others, which may have taken many minutes. */
function failed(ids: number[], error: unknown, { say }: Session): Row[] {
  const why = error instanceof Error ? error.message : String(error)
  say(`rows ${ids.join(', ')} failed: ${why}`)
  return ids
    .filter((id) => options?.only.includes(id))
    .map((id) => ({ ...skippedRow(id, 'not measured', why), failed: true }))
}

function head(machine: Machine, reference: Reference): string {
  const lines = { ...machine, reference: reference.name }
  return Object.entries(lines)
    .map(([name, text]) => `${name.padEnd(10)} ${text}`)
    .join('\n')
}

function chosen(): Options | undefined {
  try {
    const read = readOptions(process.argv.slice(2))
    if (read !== 'help') return read
    console.log(USAGE)
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    process.exitCode = 2
  }
  return undefined
}
