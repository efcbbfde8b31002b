import { parseArgs } from 'node:util'

export type Options = {
  /** Rows of the table, 1 to 10, that are measured. */
  only: number[]
  /** Timed runs of each side. */
  runs: number
  seed: number
  quick: boolean
  /** Rows of the main file; the others are sized after it. */
  rows: number
  json: string | undefined
  svg: string | undefined
}

export const ROW_IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

export const USAGE = `bun run bench [options]: measures the service against psql's \\copy and a MERGE by hand.

  --quick      smaller data and fewer runs, about two minutes on two cores; its figures are no targets' figures
  --only 1,2   these rows of the table
  --runs N     timed runs of each side (5; quick: 2)
  --rows N     rows of the main file (2,000,000; quick: 300,000); the other files are sized after it
  --seed N     another seed makes other data (2026)
  --json FILE  the figures, as a list with one entry for each row
  --svg FILE   the figures, as a chart
  --help       this text`

const FULL = { rows: 2_000_000, runs: 5 }
const QUICK = { rows: 300_000, runs: 2 }

/**
 * Reads the command line.
 * @returns the text of --help when it is asked for
 * @throws Error that names the option, what was found and what was expected
 */
export function readOptions(args: string[]): Options | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string' },
      runs: { type: 'string' },
      rows: { type: 'string' },
      seed: { type: 'string', default: '2026' },
      json: { type: 'string' },
      svg: { type: 'string' },
    },
  })
  if (values.help) return 'help'
  const preset = values.quick ? QUICK : FULL
  return {
    only: values.only === undefined ? ROW_IDS : readIds(values.only),
    runs: whole('--runs', values.runs ?? preset.runs, 1, 100),
    rows: whole('--rows', values.rows ?? preset.rows, 100, 100_000_000),
    seed: whole('--seed', values.seed, 0, 2 ** 31),
    quick: values.quick,
    json: values.json,
    svg: values.svg,
  }
}

function readIds(text: string): number[] {
  const ids = text.split(',').map((one) => whole('--only', one, 1, ROW_IDS.length))
  return ROW_IDS.filter((id) => ids.includes(id))
}

function whole(name: string, value: string | number, min: number, max: number): number {
  const number = Number(value)
  if (value !== '' && Number.isInteger(number) && number >= min && number <= max) return number
  throw new Error(`${name}: found "${value}", expected a whole number from ${min} to ${max}`)
}
