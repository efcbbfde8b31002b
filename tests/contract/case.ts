import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseDocument } from 'yaml'

/** A file of a step. Its rows are a query of DuckDB, texts, bytes, or records of avro. */
export type FileSpec = {
  /** Its name in the bucket; nothing is told by it. */
  name?: string
  format?: 'parquet' | 'csv' | 'ndjson' | 'avro'
  select?: string
  /** What stands behind the format in DuckDB's COPY, such as `row_group_size 2048`. */
  options?: string
  text?: string
  hex?: string
  base64?: string
  /** For ndjson, one object a line; for avro, with `schema` and `codec`. */
  rows?: Record<string, unknown>[]
  schema?: Record<string, unknown>
  codec?: 'null' | 'deflate' | 'zstandard'
  pack?: 'gzip' | 'zstd'
  /** So many bytes are missing at its end. */
  cut?: number
}

/** One file (or some) that is sent, and what comes of it. Without `error` the job has to end in `completo`. */
export type Step = {
  /** SQL that is run first; `$table` is the name of the table. */
  before?: string
  file?: FileSpec
  files?: FileSpec[]
  /** Further fields of the request; `url` may be a name behind the step's prefix, `sha256: true` is the file's own. */
  send?: Record<string, unknown>
  /** The code, what the sentence contains, and further fields of the problem. */
  error?: { code: string; says?: string[]; [field: string]: unknown }
  /** All that are not named are 0, but for `read` and `staged`, which the invariant gives. */
  stats?: Record<string, number>
  /** Row, column and rule; or an object with any of the fields of a reject. */
  rejects?: ([row: number, column: string | null, rule: string] | Record<string, unknown>)[]
  impact?: Record<string, unknown>
  /** Further fields of the status. */
  status?: Record<string, unknown>
  /** The rows afterwards, by key. Columns that a row does not name are not looked at. */
  table?: Record<string, unknown>[]
  history?: Record<string, unknown>[]
  /** SQL, and the rows that it has to give. */
  asks?: { sql: string; gives: Record<string, unknown>[] }
}

/** A case as its folder has it. `name` is a figura's name; `figura` makes the figura's file for a source. */
export type Case = {
  name: string
  folder: string
  does: string
  steps: Step[]
  figura(source: string): string
}

const HERE = import.meta.dir
const FIGURAS = join(HERE, '../../figuras')

/** All cases: those of the language, and those beside the figuras that are served. */
export function readCases(): Case[] {
  const own = foldersIn(join(HERE, 'cases')).map(([name, folder]) =>
    readCase(nameOf(name), folder, (source) => ownFigura(nameOf(name), folder, source)),
  )
  const served = foldersIn(join(FIGURAS, 'cases')).flatMap(([figura, cases]) =>
    foldersIn(cases).map(([name, folder]) => {
      const full = nameOf(`${figura}_${name}`)
      return readCase(full, folder, (source) => servedFigura(figura, full, source))
    }),
  )
  return [...own, ...served]
}

/** Names of the figuras that are served, and whether cases stand beside them. */
export function servedFiguras(): { name: string; cases: number }[] {
  const names = readdirSync(FIGURAS).filter((file) => file.endsWith('.yaml'))
  return names.map((file) => {
    const name = file.slice(0, -'.yaml'.length)
    return { name, cases: foldersIn(join(FIGURAS, 'cases', name)).length }
  })
}

function foldersIn(path: string): [name: string, path: string][] {
  if (!existsSync(path)) return []
  return readdirSync(path)
    .toSorted()
    .map((name) => [name, join(path, name)])
}

function nameOf(folder: string): string {
  return folder.replaceAll('-', '_')
}

function readCase(name: string, folder: string, figura: Case['figura']): Case {
  const { does, steps } = parse(readFileSync(join(folder, 'case.yaml'), 'utf8')) as Pick<
    Case,
    'does' | 'steps'
  >
  return { name, folder, does, steps, figura }
}

/** The file of a case says neither where the table is nor where files come from: each case has its own of both. */
function ownFigura(name: string, folder: string, source: string): string {
  const text = readFileSync(join(folder, 'figura.yaml'), 'utf8')
  return `description: ${name}\ntable: public.${name}\n${text.trimEnd()}\nsources: ['${source}']\n`
}

function servedFigura(figura: string, name: string, source: string): string {
  const document = parseDocument(readFileSync(join(FIGURAS, `${figura}.yaml`), 'utf8'))
  document.set('table', `public.${name}`)
  document.set('sources', [source])
  return String(document)
}
