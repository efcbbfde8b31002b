import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freshFolder } from '../support/servers.ts'
import { clean, type Drill, type Tally } from './drill.ts'
import { type Mutant, MUTANTS } from './mutants.ts'

const ROOT = join(import.meta.dir, '../..')

/** What a drill needs of the project, beside its packages. */
const PARTS = [
  'src',
  'figuras',
  'scripts',
  'tests',
  'package.json',
  'tsconfig.json',
  'bunfig.toml',
  'bun.lock',
]

/** A drill that hangs on a mutant is red too, and past hearing; the longest ends in a minute when all is quiet. */
const DRILL_MS = 300_000

/** Each guard is taken out of a copy of the project, and the drill that watches over it has to notice. */
export const mutation: Drill = {
  name: 'mutation',
  about: 'one guard at a time is removed from a copy of the service: some drill has to turn red for each',
  runs: { small: 4, full: MUTANTS.length },
  run: async ({ seed, runs, say, only = '' }) => {
    const tally = clean()
    const chosen = MUTANTS.filter(({ guard }) => guard.includes(only)).slice(0, runs)
    for (const mutant of chosen) await judge(mutant, { seed, say, tally })
    return tally
  },
}

type Watching = { seed: number; say: (line: string) => void; tally: Tally }

async function judge(mutant: Mutant, { seed, say, tally }: Watching): Promise<void> {
  using folder = freshFolder()
  const copy = join(folder.path, 'project')
  mkdirSync(copy)
  for (const part of PARTS) cpSync(join(ROOT, part), join(copy, part), { recursive: true })
  for (const part of ['node_modules', '.cache']) symlinkSync(join(ROOT, part), join(copy, part))
  for (const { file, find, put } of mutant.cuts) cut(join(copy, file), find, put)
  const line = await drillIn(copy, mutant, seed)
  const red = line === undefined || / (lost|duplicated|unexpected|leaked)=[1-9]/.test(line)
  say(`without ${mutant.guard}: ${line ?? `drill ${mutant.drill} did not end`}`)
  if (!red) tally.unexpected++
}

/** @throws Error when the guard is not where the mutant says, once: then it would be green for nothing */
function cut(file: string, find: string, put: string): void {
  const text = readFileSync(file, 'utf8')
  const found = text.split(find).length - 1
  if (found !== 1) throw new Error(`${file}: found "${find}" ${found} times, expected it once`)
  writeFileSync(
    file,
    text.replace(find, () => put),
  )
}

/** The drill's own line; undefined when it did not come to one. */
async function drillIn(copy: string, mutant: Mutant, seed: number): Promise<string | undefined> {
  const more = mutant.only === undefined ? [] : ['--only', mutant.only]
  // a group of its own, so that what a drill has started goes with it
  const child = Bun.spawn(
    [
      process.execPath,
      'tests/drills/run.ts',
      mutant.drill,
      '--seed',
      `${seed}`,
      '--runs',
      `${mutant.runs}`,
      ...more,
    ],
    { cwd: copy, stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', detached: true },
  )
  const late = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), DRILL_MS)
  const text = await new Response(child.stdout).text()
  await child.exited
  clearTimeout(late)
  return text.split('\n').find((line) => line.startsWith(`drill ${mutant.drill} `) && line.includes('lost='))
}
