import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EVERY_SOURCE } from '../address.ts'
import { type Fault, type FiguraError, figuraError, quoted } from './fault.ts'
import { readMeaning } from './meaning.ts'
import { structureFaults } from './structure.ts'
import type { Figura } from './types.ts'
import { readYaml } from './yaml.ts'

export type { FiguraError } from './fault.ts'

/** A figura as its file has it at this moment: either fit to be used, or everything that is wrong with it. */
export type LoadedFigura =
  | { name: string; figura: Figura; hash: string; errors?: undefined }
  | { name: string; errors: FiguraError[]; figura?: undefined }

export type Figuras = {
  /** The figura of that name; undefined when it has no file. */
  get(name: string): LoadedFigura | undefined
  /**
   * All figuras, by name. Files that look as if they were meant to be figuras are among them, with what is
   * wrong.
   */
  list(): LoadedFigura[]
}

/** First segments of the API's own addresses. */
export const RESERVED_NAMES = ['figuras', 'docs', 'problems', 'livez', 'readyz', 'metrics']

/** A name is a segment of a URL and a token of a NATS subject. */
const NAME = /^[a-z][a-z0-9_]{0,62}$/

/** Whether a figura can have this name. There is neither a file nor a job of any other. */
export function isFiguraName(name: string): boolean {
  return NAME.test(name) && !RESERVED_NAMES.includes(name)
}

/**
 * Reads one figura file. All that is wrong is told at once, with file and line.
 * A column of the key is `required` in the result, whether the file says so or not.
 */
export function parseFigura(
  name: string,
  text: string,
  registered: readonly string[] = [EVERY_SOURCE],
): { figura: Figura } | { errors: FiguraError[] } {
  const file = `${name}.yaml`
  const told = (faults: Fault[]) => ({
    errors: faults.toSorted((a, b) => a.line - b.line).map((fault) => figuraError(file, fault)),
  })
  const yaml = readYaml(text)
  if ('faults' in yaml) return told([...nameFaults(name), ...yaml.faults])
  const { figura, faults } = readMeaning(yaml, registered)
  const wrong = [...nameFaults(name), ...structureFaults(yaml), ...faults]
  return wrong.length ? told(wrong) : { figura: { name, ...figura } }
}

/** What a figura says, as a name for it: equal for files that differ only in layout and comments. */
export function hashOf(figura: Figura): string {
  return createHash('sha256').update(JSON.stringify(figura, sorted)).digest('hex').slice(0, 32)
}

/**
 * Opens a folder of figuras. What it answers is always what the folder holds: a file that is dropped in is
 * served at once, a removed one is gone, a broken one says so and leaves the others alone. There is no
 * watcher, which would be late, and deaf on some network file systems: a look costs one stat (about 10 µs), a
 * changed file is read anew. Synchronous on purpose: calls of node:fs/promises wait behind running queries in
 * the native thread pool.
 * A figura with a source that does not lie under one of `registered` is a broken one.
 * @throws Error when there is no such folder. When it vanishes later, no figura is served until it is back.
 */
export function openFiguras(dir: string, registered: readonly string[]): Figuras {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(
      `FIGURAS_DIR: found no folder ${dir}, expected one with a file <name>.yaml for each figura`,
    )
  }
  const seen = new Map<string, Seen>()
  const look = (name: string) => lookAt({ dir, name, registered }, seen)
  return {
    get: (name) => (isFiguraName(name) ? look(name) : undefined),
    list: () =>
      filesIn(dir)
        .filter((file) => /^[^.].*\.ya?ml$/.test(file))
        .toSorted()
        .map((file) => (file.endsWith('.yml') ? misnamed(file) : look(file.slice(0, -'.yaml'.length))))
        .filter((loaded) => loaded !== undefined),
  }
}

/**
 * A figura of 1,600 columns, the most there can be, has 100 kB. The YAML parser takes seconds over some texts
 * of that size.
 */
const FILE_BYTES = 128 * 1024

/** Two writes within one tick of the file system's clock (4 ms on ext4 and xfs) can leave the same stamp. */
const TICK_MS = 50

type Seen = { stamp: string; loaded: LoadedFigura }

function filesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

type Place = { dir: string; name: string; registered: readonly string[] }

function lookAt({ dir, name, registered }: Place, seen: Map<string, Seen>): LoadedFigura | undefined {
  const path = join(dir, `${name}.yaml`)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile()) {
    seen.delete(name)
    return undefined
  }
  const stamp = [stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join()
  const known = seen.get(name)
  if (known?.stamp === stamp) return known.loaded
  const loaded = load(path, { name, registered }, stat.size)
  // a file that was written a moment ago may be written again without a new stamp: it is not remembered yet
  if (Date.now() - stat.ctimeMs > TICK_MS) seen.set(name, { stamp, loaded })
  else seen.delete(name)
  return loaded
}

function load(path: string, { name, registered }: Omit<Place, 'dir'>, bytes: number): LoadedFigura {
  if (bytes > FILE_BYTES) return broken(name, `${bytes} bytes`, `at most ${FILE_BYTES}`)
  try {
    const parsed = parseFigura(name, readFileSync(path, 'utf8'), registered)
    return 'errors' in parsed
      ? { name, errors: parsed.errors }
      : { name, ...parsed, hash: hashOf(parsed.figura) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return broken(name, `a file that cannot be read (${code})`, 'one that this service may read')
  }
}

function misnamed(file: string): LoadedFigura {
  return broken(file, `the file name ${file}`, file.replace(/yml$/, 'yaml'), file)
}

function broken(name: string, found: string, expected: string, file = `${name}.yaml`): LoadedFigura {
  return { name, errors: [figuraError(file, { line: 1, column: 1, found, expected })] }
}

function nameFaults(name: string): Fault[] {
  const place = { line: 1, column: 1 }
  const found = `the file name ${quoted(`${name}.yaml`)}`
  if (!NAME.test(name))
    return [{ ...place, found, expected: 'small letters, digits and _, at most 63, a letter first' }]
  if (isFiguraName(name)) return []
  return [
    { ...place, found, expected: `a name that is not an address of the API (${RESERVED_NAMES.join(', ')})` },
  ]
}

/** For JSON.stringify: objects with their keys in one order. */
function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
