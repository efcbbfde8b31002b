import { parseArgs } from 'node:util'
import { DRILLS } from './all.ts'
import { isClean, lineOf } from './drill.ts'

const USAGE = `bun run drill [name …] [--seed N] [--runs N] [--small] [--list]

  name     the drills to run; none: all of them
  --seed   of everything that is left to chance (7)
  --runs   how many faults, in place of the drill's own number
  --small  the number that runs with the tests
  --only   of named-points, ssrf and mutation: the cases whose name has this text
  --list   what drills there are`

process.exit(await main())

/** The exit code: 0 when nothing was counted, 1 when something was, 2 when the command is not understood. */
async function main(): Promise<number> {
  const asked = readCommand()
  if (typeof asked === 'string') {
    console.log(asked)
    return asked.startsWith('bun run drill') ? 0 : 2
  }
  let failed = false
  for (const drill of asked.drills) {
    const trial = { seed: asked.seed, runs: asked.runs ?? drill.runs[asked.small ? 'small' : 'full'] }
    try {
      const tally = await drill.run({ ...trial, only: asked.only, say: (line) => console.error(`  ${line}`) })
      console.log(lineOf(drill, trial, tally))
      failed ||= !isClean(tally)
    } catch (error) {
      console.error(error)
      console.log(`drill ${drill.name} seed=${trial.seed} runs=${trial.runs} did not end`)
      failed = true
    }
  }
  return failed ? 1 : 0
}

function readCommand() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '7' },
      runs: { type: 'string' },
      only: { type: 'string' },
      small: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const list = DRILLS.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join('\n')
  if (values.help || values.list) return `${USAGE}\n\n${list}`
  const unknown = positionals.find((name) => !DRILLS.some((drill) => drill.name === name))
  if (unknown) return `found the drill "${unknown}", expected one of\n${list}`
  const seed = Number(values.seed)
  const runs = values.runs === undefined ? undefined : Number(values.runs)
  if (!Number.isInteger(seed) || (runs !== undefined && !(Number.isInteger(runs) && runs > 0)))
    return 'found no whole number behind --seed or --runs, expected one'
  const drills = positionals.length ? DRILLS.filter(({ name }) => positionals.includes(name)) : DRILLS
  return { drills, seed, runs, only: values.only, small: values.small }
}
