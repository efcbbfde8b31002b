import { describe, expect, test } from 'bun:test'
import { ERRORS } from '../src/errors.ts'
import { rules } from './support/house-rules.ts'
import { parseSource, projectFiles, readSource } from './support/source-file.ts'

// these two hold examples of everything that is not allowed
const samples = ['tests/tidy.test.ts', 'tests/support/house-rules.ts']
const files = projectFiles().filter((path) => !samples.includes(path) && !/\.(lock|png|svg|ico)$/.test(path))
const sources = files.map(readSource)

describe('the house rules hold', () => {
  for (const rule of rules) {
    test(rule.name, () => {
      const found = sources
        .filter(({ path }) => rule.applies(path))
        .flatMap((file) =>
          rule.breaches(file).map(({ line, text }) => `${file.path}:${line}: ${text}. ${rule.fix}`),
        )
      expect(found).toEqual([])
    })
  }

  test('every error code is used', () => {
    expect(
      unusedCodes(sources.filter(({ path }) => path.startsWith('src/') && path !== 'src/errors.ts')),
    ).toEqual([])
  })

  test('the lockfile names no registry', async () => {
    expect(await Bun.file(`${import.meta.dir}/../bun.lock`).text()).not.toMatch(/https?:/)
  })
})

describe('each rule can fail', () => {
  for (const { name, bad, good, applies, breaches } of rules) {
    const found = ([path, text]: [string, string]) => (applies(path) ? breaches(parseSource(path, text)) : [])
    test(name, () => {
      expect(found(bad)).toHaveLength(1)
      expect(found(good)).toEqual([])
    })
  }

  test('every error code is used', () => {
    const [first = ''] = Object.keys(ERRORS)
    expect(unusedCodes([])).toHaveLength(Object.keys(ERRORS).length)
    expect(unusedCodes([parseSource('src/a.ts', `fail('${first}')\n`)]).join()).not.toContain(first)
  })

  test('all of the project is looked at', () => {
    for (const path of [
      '.ci/run',
      'src/errors.ts',
      'src/db/migrations/0001_jobs.sql',
      'scripts/setup',
      'package.json',
    ]) {
      expect(files).toContain(path)
    }
  })
})

function unusedCodes(within: { syntax: { literals: { text: string }[] } }[]): string[] {
  const said = new Set(within.flatMap(({ syntax }) => syntax.literals.map(({ text }) => text)))
  return Object.keys(ERRORS)
    .filter((code) => !said.has(code))
    .map((code) => `${code} is never used. Throw it, or take it out of src/errors.ts`)
}
