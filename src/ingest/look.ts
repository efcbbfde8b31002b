import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import type { Column, Figura, Mode } from '../figura/types.ts'
import { checkSource } from '../source/check.ts'
import { fetchFooter } from '../source/footer.ts'
import { createLocalFile } from '../source/ranged.ts'
import { openOptions, openSource, type SourceFile } from '../source/source.ts'
import { leavesOut } from './duplicates.ts'
import { asCorrupt } from './file-error.ts'
import type { FileColumn } from './fit.ts'
import { fitFile } from './fit-file.ts'
import { type Known, tellFormat } from './formats/format.ts'
import { openStream } from './formats/stream.ts'
import { modeOf } from './served.ts'
import { readShape, refuseColumns } from './shape.ts'
import { nullCountsSql } from './sql-look.ts'

/** A file that is looked at before a job of it is accepted. */
export type Looked = {
  url: string
  figura: Figura
  sha256: string | null
  etag: string | null
  mode: Mode | null
}

type LookContext = {
  config: Config
  duckdb: Duckdb
  /** One at a time, in the order of asking: DuckDB's connection takes no second query beside a stream. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

/**
 * Looks at a file by its footer, or by its beginning, and no more of it. Resolves when nothing is found against it.
 * @throws BulkError of the source, `sha256_differs` (of a small file), `file_too_large`, `file_corrupt`,
 * `file_not_known`, `file_not_parquet`, `schema_differs`, `expression_wrong`, `key_null`, `required_null`
 */
export async function lookAt(looked: Looked, context: LookContext, signal: AbortSignal): Promise<void> {
  const { config } = context
  const { bounds, workDir } = config
  const { url, figura, sha256, etag } = looked
  checkSource(url, figura.sources, config)
  const source = await openSource(url, { ...openOptions(config), signal })
  refuseEtag(source, etag)
  refuseMore(source.name, 'bytes', source.bytes, [
    [bounds.fileBytes, 'FILE_MAX_GB'],
    [figura.limits?.maxBytes, 'limits.max_bytes of the figura'],
  ])
  if (sha256 !== null && source.tailStart === 0) refuseDigest(source, sha256)
  // without ranges all of it would have to come
  if (!source.ranged && source.tailStart > 0) return
  const known = await tellFormat(source, signal)
  if (known.format !== 'parquet') return lookIntoStream(looked, { source, known }, context, signal)
  const path = join(workDir, `look-${crypto.randomUUID()}.parquet`)
  const local = await createLocalFile({ file: source, path })
  try {
    await fetchFooter(source, local, { footerBytes: bounds.footerBytes, signal })
    await context.alone(() => lookIntoFooter(looked, { source, path }, context, signal))
  } finally {
    await local.dispose()
  }
}

/**
 * The columns of a CSV file or an avro file are told by its beginning. An NDJSON file has them in any row, and so many
 * come for them that only a small file is looked into.
 */
async function lookIntoStream(
  { figura, mode }: Looked,
  { source, known }: { source: SourceFile; known: Known },
  { config: { bounds }, duckdb, alone }: LookContext,
  signal: AbortSignal,
): Promise<void> {
  if (known.format === 'ndjson' && source.tailStart > 0) return
  const options = { figura, maxBytes: bounds.fileExpandedBytes, splitBytes: null }
  const { columns, rows } = await openStream(source, known, options, signal)
  refuseColumns(source.name, columns.length, bounds)
  refuseMore(source.name, 'rows', rows ?? 0, [
    [bounds.fileRows, 'FILE_MAX_ROWS'],
    [figura.limits?.maxRows, 'limits.max_rows of the figura'],
  ])
  const placed = { columns, parquet: false, no: 0, files: 1 }
  await alone(() => fitFile(duckdb, { mode, definition: figura }, placed))
}

async function lookIntoFooter(
  { figura, mode }: Looked,
  { source, path }: { source: SourceFile; path: string },
  { config, duckdb }: LookContext,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const { shape } = await asCorrupt(source, () =>
    readShape(duckdb, path, { name: source.name, bounds: config.bounds }),
  )
  refuseMore(source.name, 'rows', shape.rows, [
    [config.bounds.fileRows, 'FILE_MAX_ROWS'],
    [figura.limits?.maxRows, 'limits.max_rows of the figura'],
  ])
  const alone = { columns: shape.columns, parquet: true, no: 0, files: 1 }
  await fitFile(duckdb, { mode, definition: figura }, alone)
  const nulls = await duckdb.query<{ name: string; nulls: number }>(nullCountsSql(path))
  refuseNulls({ mode, definition: figura }, shape.columns, new Map(nulls.map((one) => [one.name, one.nulls])))
}

function refuseMore(
  subject: string,
  what: string,
  found: number,
  limits: [number | undefined, string][],
): void {
  for (const [most, name] of limits) {
    if (most === undefined || found <= most) continue
    const expected = `at most ${most} (${name})`
    throw new BulkError('file_too_large', { subject, found: `${found} ${what}`, expected })
  }
}

/** A server that gives no ETag cannot be held to one, and one that knows no If-Match answers all the same. */
function refuseEtag(source: SourceFile, etag: string | null): void {
  if (etag === null || source.etag === null || source.etag === etag) return
  throw new BulkError('source_changed', {
    subject: source.name,
    found: `the ETag ${source.etag}`,
    expected: `${etag}, as it was sent`,
  })
}

function refuseDigest(source: SourceFile, sha256: string): void {
  const found = createHash('sha256').update(source.tail).digest('hex')
  if (found === sha256) return
  throw new BulkError('sha256_differs', {
    subject: source.name,
    found: `the SHA-256 ${found}`,
    expected: sha256,
  })
}

/** Nulls that the footer proves, in columns that are read as they are. Rows may not be left out for them. */
function refuseNulls(
  asked: { mode: Mode | null; definition: Figura },
  file: FileColumn[],
  nulls: Map<string, number>,
): void {
  const { definition: figura } = asked
  const keysAlone = modeOf(asked) === 'delete'
  if (leavesOut(figura)) return
  for (const column of figura.columns) {
    const isKey = figura.key.includes(column.name)
    const read = column.required && (isKey || !keysAlone)
    const name = read ? plainSource(column, file) : undefined
    const found = name === undefined ? undefined : nulls.get(name)
    if (!found) continue
    throw new BulkError(
      isKey ? 'key_null' : 'required_null',
      {
        subject: `The column ${column.name}`,
        found: `${found} null(s), as the footer says`,
        expected: 'none',
      },
      { column: column.name, nulls: found },
    )
  }
}

/** The column of the file that the value comes from, if it is certain which, and that a null there stays one. */
function plainSource(
  { expr, default: preset, from, aliases = [] }: Column,
  file: FileColumn[],
): string | undefined {
  if (expr !== undefined || preset !== undefined) return undefined
  for (const name of [from, ...aliases]) {
    const alike = file.filter((one) => (one.written ?? one.name).toLowerCase() === name.toLowerCase())
    if (alike.length > 0) return alike.length === 1 && alike[0]?.name === name ? name : undefined
  }
  return undefined
}
