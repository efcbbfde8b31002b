import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sbomOf } from './sbom.ts'

const USAGE = `bun run licences [--sbom FILE]

  Lists every package of bun.lock with its licence, and fails on one that is not known to be fit.
  --sbom   writes the same as CycloneDX 1.6 JSON`

const ROOT = join(import.meta.dir, '..')

/** Licences that let the service be used, changed and handed on; each was read. */
const FIT = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'PostgreSQL',
  'Unlicense',
])

/** A package of the lock file. `licence` undefined: it is not on this machine, being for another platform. */
export type Package = { name: string; version: string; sha512: string | null; licence: string | undefined }

type Locked = [id: string, registry: string, about: { os?: string }, integrity?: string]

/** The packages that the lock file names, sorted; what is installed twice in one version is there once. */
export function readPackages(root: string = ROOT): Package[] {
  const lock = Bun.JSONC.parse(readFileSync(join(root, 'bun.lock'), 'utf8')) as {
    packages: Record<string, Locked>
  }
  const packages = new Map<string, Package>()
  for (const [place, [id, , , integrity]] of Object.entries(lock.packages)) {
    const at = id.lastIndexOf('@')
    const licence = licenceAt(join(root, folderOf(place)))
    const sha512 = integrity?.startsWith('sha512-')
      ? Buffer.from(integrity.slice(7), 'base64').toString('hex')
      : null
    packages.set(id, { name: id.slice(0, at), version: id.slice(at + 1), sha512, licence })
  }
  return [...packages.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** What is wrong with the licences; a package that is for another platform is told by the one that asks for it. */
export function unfit(packages: Package[]): string[] {
  return packages.flatMap(({ name, version, licence }) => {
    if (licence === undefined || isFit(licence)) return []
    return [
      `${name} ${version}: found the licence ${licence || '(none)'}, expected one of ${[...FIT].join(', ')}`,
    ]
  })
}

/** Of "A OR B" one has to be fit, of "A AND B" both. */
function isFit(licence: string): boolean {
  const plain = licence.replace(/^\((.*)\)$/, '$1')
  if (plain.includes(' OR ')) return plain.split(' OR ').some(isFit)
  return plain.split(' AND ').every((one) => FIT.has(one))
}

/** `a/b` is the package b as a has it for itself; names may have a scope. */
function folderOf(place: string): string {
  const names = place.match(/@[^/]+\/[^/]+|[^/]+/g) ?? []
  return names.map((name) => join('node_modules', name)).join('/')
}

function licenceAt(folder: string): string | undefined {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return undefined
  const { license, licenses } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  const written = license ?? (Array.isArray(licenses) ? licenses[0] : '')
  const said = typeof written === 'object' && written !== null && 'type' in written ? written.type : written
  return typeof said === 'string' && said !== '' ? said : textOf(folder)
}

/** A package that says nothing in its package.json may have the text of a licence beside it. */
function textOf(folder: string): string {
  const file = ['LICENSE', 'LICENSE.md', 'LICENCE', 'LICENSE.txt']
    .map((name) => join(folder, name))
    .find(existsSync)
  const text = file ? readFileSync(file, 'utf8') : ''
  if (/Permission is hereby granted, free of charge/.test(text)) return 'MIT'
  return /Apache License\s+Version 2\.0/.test(text) ? 'Apache-2.0' : ''
}

function main(): number {
  const { values } = parseArgs({ options: { sbom: { type: 'string' }, help: { type: 'boolean' } } })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const packages = readPackages()
  for (const { name, version, licence = 'for another platform' } of packages)
    console.log(`${name} ${version}`.padEnd(64), licence)
  const wrong = unfit(packages)
  for (const line of wrong) console.error(line)
  if (values.sbom) writeFileSync(values.sbom, `${JSON.stringify(sbomOf(packages), null, 2)}\n`)
  console.log(
    `${packages.length} packages, ${wrong.length} of them with a licence that is not known to be fit`,
  )
  return wrong.length ? 1 : 0
}

if (import.meta.main) process.exitCode = main()
