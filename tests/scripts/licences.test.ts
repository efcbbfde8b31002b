import { join } from 'node:path'
import { describe, expect, test } from 'bun:test'
import { readPackages, unfit } from '../../scripts/licences.ts'
import { sbomOf } from '../../scripts/sbom.ts'
import manifest from '../../package.json'

const packages = readPackages()

describe('every package', () => {
  test('has a licence that is known to be fit', () => {
    expect(unfit(packages)).toEqual([])
    expect(packages.filter(({ licence }) => licence !== undefined).length).toBeGreaterThan(100)
  })

  test('of package.json is among them, in exactly the version that stands there', () => {
    const asked = { ...manifest.dependencies, ...manifest.devDependencies }
    for (const [name, version] of Object.entries(asked)) {
      expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
      expect(packages).toContainEqual(expect.objectContaining({ name, version }))
    }
    expect(manifest.trustedDependencies).toEqual([])
  })

  test('has a digest, by which it is known when it is installed', () => {
    expect(packages.filter(({ sha512 }) => !/^[0-9a-f]{128}$/.test(sha512 ?? ''))).toEqual([])
  })
})

test('a licence that nobody has read is refused', () => {
  const one = (licence: string | undefined) => unfit([{ name: 'a', version: '1.0.0', sha512: null, licence }])
  for (const fit of ['MIT', '(MIT OR GPL-3.0)', 'MIT AND ISC', undefined]) expect(one(fit)).toEqual([])
  for (const wrong of ['GPL-3.0', 'UNLICENSED', '', '(MIT AND GPL-3.0)', 'SEE LICENSE IN x'])
    expect(one(wrong)).toHaveLength(1)
})

test('the bill of materials names each package once, by its address', () => {
  const { components, bomFormat } = sbomOf(packages)
  expect(bomFormat).toBe('CycloneDX')
  expect(new Set(components.map(({ purl }) => purl)).size).toBe(packages.length)
  expect(components.map(({ purl }) => purl)).toContain(
    `pkg:npm/%40duckdb/node-api@${manifest.dependencies['@duckdb/node-api']}`,
  )
  expect(components.find(({ name }) => name === 'postgres')).toMatchObject({
    version: manifest.dependencies.postgres,
    licenses: [{ license: { id: 'Unlicense' } }],
    hashes: [{ alg: 'SHA-512' }],
  })
})

test('what the set-up installs is what the lock file says', async () => {
  for (const file of ['scripts/setup', 'Dockerfile']) {
    const text = await Bun.file(join(import.meta.dir, '../..', file)).text()
    const installs = text.split('\n').filter((line) => /bun"? (install|ci)\b/.test(line.replace(/#.*/, '')))
    expect(installs.length).toBeGreaterThan(0)
    for (const line of installs) expect(line).toMatch(/bun"? ci|--frozen-lockfile/)
  }
})
