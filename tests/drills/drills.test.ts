import { expect, test } from 'bun:test'
import { DRILLS } from './all.ts'
import { clean, isClean, lineOf } from './drill.ts'

const SEED = 7

test.concurrent.each(DRILLS.map((drill) => [drill.name, drill] as const))(
  'the drill %s finds nothing lost, doubled, unexpected or left behind',
  async (_, drill) => {
    const trial = { seed: SEED, runs: drill.runs.small }
    const found: string[] = []
    const tally = await drill.run({ ...trial, say: (line) => found.push(line) })
    expect(lineOf(drill, trial, tally), found.join('\n')).toBe(lineOf(drill, trial, clean()))
  },
  120_000,
)

test('a tally is clean only when nothing was counted', () => {
  expect(isClean(clean())).toBe(true)
  for (const part of ['lost', 'duplicated', 'unexpected', 'leaked'] as const)
    expect(isClean({ ...clean(), [part]: 1 })).toBe(false)
})
