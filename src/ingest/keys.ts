import duckdb from '@duckdb/node-bindings'
import type { Duckdb } from '../db/duckdb.ts'
import type { Figura } from '../figura/types.ts'
import { isNull, readVector } from './column.ts'
import type { OpenFile } from './file.ts'
import { asCorrupt } from './file-error.ts'
import type { FittedColumn } from './fit.ts'
import { quote } from '../quote.ts'
import { queryRows, type SqlOfValues, streamRows } from './read.ts'
import { type Reading, sourcesOf } from './rules.ts'
import { cutRuns, type Run } from './runs.ts'
import { createSieve, type Hashes, KEPT_HASHES, repeatedHashes, SIEVE_HASHES } from './sieve.ts'
import {
  beginCollectingSql,
  collectKeysSql,
  endCollectingSql,
  type KeyColumn,
  type KeyHash,
  keyHashesSql,
  type LocalRows,
  repeatedKeysSql,
  type Selected,
  wholeNumberStatsSql,
} from './sql-duckdb.ts'

/** The keys of a file, and what they are read with. */
export type KeyFile = {
  duckdb: Duckdb
  file: OpenFile
  figura: Figura
  signal: AbortSignal
  /** For tests: a worse hash, and less room. */
  hash?: KeyHash
  room?: { kept: number; sieved: number }
}

/** Keys that are null in part, and 64-bit hashes that more than one row has. */
export type KeyFindings = { nulls: { count: number; rows: number[] }; repeated: bigint[] | 'many' }

/** Above so many hashes it is simpler to look at every key than to name them. */
const NAMED_HASHES = 1000

const ROOM = { kept: KEPT_HASHES, sieved: SIEVE_HASHES }
const HASH: KeyHash = (columns) => `hash(${columns.join(', ')})`

/**
 * Reads the keys of the whole file as hashes, a piece of it at a time, and finds those that are there more than once.
 * Equal hashes need not be equal keys: readRepeated() decides. Memory: a sieve and a list, 64 MB however many rows.
 *
 * A run of up to `room.kept` rows is read once; a longer one twice, first through the sieve and then for what the
 * sieve has let pass. (Instead of passes over parts of the hashes: 20 million keys took five passes with a list of
 * this size.)
 */
export async function readKeys(keys: KeyFile): Promise<KeyFindings> {
  const { kept, sieved } = keys.room ?? ROOM
  const nulls = { count: 0, rows: [] as number[] }
  const repeated = new Set<bigint>()
  let many = false
  for (const run of await runsOf(keys, kept)) {
    const rows = run.rowEnd - run.rowStart
    const parts = rows <= kept ? 1 : Math.ceil(rows / sieved)
    for (let part = 0; part < parts; part++) {
      const sieve = createSieve(rows / parts, { part, parts })
      const once: Hashes[] = []
      for await (const hashes of readHashes(keys, run, part === 0 ? nulls : undefined)) {
        sieve.add(hashes)
        if (rows <= kept) once.push(hashes)
      }
      // what is left to learn is whether keys are null
      if (many) break
      const passed: Hashes[] = []
      let room = kept * 2
      for await (const hashes of rows <= kept ? once : readHashes(keys, run)) {
        passed.push(sieve.pass(hashes))
        room -= passed.at(-1)!.length
        if (room < 0) break
      }
      for (const hash of repeatedHashes(passed, NAMED_HASHES)) repeated.add(hash)
      many = room < 0 || repeated.size >= NAMED_HASHES
    }
  }
  return { nulls, repeated: many ? 'many' : [...repeated] }
}

/** Runs of the file that have no key in common; the whole file when one list holds all of it anyway. */
async function runsOf({ duckdb: duck, file, figura, signal }: KeyFile, rowsMax: number): Promise<Run[]> {
  const { shape } = file
  const whole = { rowStart: 0, rowEnd: shape.rows }
  if (shape.rows <= rowsMax) return [whole]
  const [key, other] = keyColumns(figura, file.columns)
  const column = shape.columns.find(({ name }) => name === key?.fileColumn)
  if (other || !column || !WHOLE_NUMBER.test(column.type)) return [whole]
  await using pieces = file.pieces({ rowStart: 0, rowEnd: 1, columns: [] }, signal)
  for await (const { path } of pieces.each()) {
    const stats = await asCorrupt(file.source, () =>
      duck.query<{ least: bigint | null; greatest: bigint | null }>(
        wholeNumberStatsSql(path, column.written ?? column.name),
      ),
    )
    if (stats.length !== shape.rowGroups.length) return [whole]
    return cutRuns(
      shape.rowGroups.map(({ rows }, at) => ({
        rows,
        least: stats[at]?.least ?? null,
        greatest: stats[at]?.greatest ?? null,
      })),
      rowsMax,
    )
  }
  return [whole]
}

/** Texts are cut short in the statistics, decimals and times are stored in several ways: only these are taken. */
const WHOLE_NUMBER = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT)$/

/** The hashes of the rows whose key has no null; the others are counted. */
async function* readHashes(
  { duckdb: duck, file, figura, signal, hash = HASH }: KeyFile,
  run: Run,
  nulls: KeyFindings['nulls'] = { count: 0, rows: [] },
): AsyncGenerator<Hashes, void, void> {
  const keys = keyColumns(figura, file.columns)
  await using pieces = file.pieces({ ...run, columns: keys.flatMap((key) => key.sources) }, signal)
  for await (const rows of pieces.each()) {
    let at = rows.rowStart
    const sqlOf: SqlOfValues = (part, guard) => {
      const guarded = keys.map((key, no) => ({ ...key, expression: guard(key.expression, no) }))
      return keyHashesSql(part, guarded, hash)
    }
    for await (const chunk of streamRows(duck, rows, readingOf(figura, file), sqlOf)) {
      signal.throwIfAborted()
      const count = duckdb.data_chunk_get_size(chunk)
      const { data, valid } = readVector(duckdb.data_chunk_get_vector(chunk, 0), count, 8)
      const words = new Uint32Array(data.buffer, data.byteOffset, count * 2)
      yield valid === null ? words : withoutNulls(words, valid, { nulls, at })
      at += count
    }
  }
}

function withoutNulls(
  words: Hashes,
  valid: Uint8Array,
  { nulls, at }: { nulls: KeyFindings['nulls']; at: number },
): Hashes {
  let length = 0
  for (let row = 0; row < words.length / 2; row++) {
    if (isNull(valid, row)) {
      if (nulls.count++ < 5) nulls.rows.push(at + row)
      continue
    }
    words[length++] = words[row * 2]!
    words[length++] = words[row * 2 + 1]!
  }
  return words.subarray(0, length)
}

/** The keys that stand in more than one row, by their values: how many, in how many rows, and the first of them. */
export type RepeatedKeys = { keys: number; rows: number; examples: RepeatedKey[] }

export type RepeatedKey = { key: Record<string, string>; times: number; first_row: number; last_row: number }

/** Keys that are collected at once, by their values: DuckDB spills what its memory does not hold. */
const COLLECTED_KEYS = 2_000_000

/** Looks at the keys themselves that have a repeated hash. Many are looked at in parts; each reads the file again. */
export async function readRepeated(keys: KeyFile, repeated: KeyFindings['repeated']): Promise<RepeatedKeys> {
  const { duckdb: duck, file } = keys
  const parts = repeated === 'many' ? Math.max(1, Math.ceil(file.shape.rows / COLLECTED_KEYS)) : 1
  const found: RepeatedKeys = { keys: 0, rows: 0, examples: [] }
  try {
    for (let part = 0; part < parts; part++) {
      const one = await readPart(keys, repeated === 'many' ? { part, parts } : { hashes: repeated })
      found.keys += one.keys
      found.rows += one.rows
      found.examples.push(...one.examples)
    }
  } finally {
    await duck.query(endCollectingSql()).catch(() => {})
  }
  const examples = found.examples.toSorted((a, b) => a.first_row - b.first_row).slice(0, 5)
  return { ...found, examples }
}

async function readPart(
  { duckdb: duck, file, figura, signal, hash = HASH }: KeyFile,
  selected: Selected,
): Promise<RepeatedKeys> {
  const keys = keyColumns(figura, file.columns)
  await using pieces = file.pieces(
    { rowStart: 0, rowEnd: file.shape.rows, columns: keys.flatMap((key) => key.sources) },
    signal,
  )
  let begun = false
  for await (const rows of pieces.each()) {
    if (!begun) await duck.query(beginCollectingSql(rows, keys))
    begun = true
    const sqlOf = (part: LocalRows) => collectKeysSql(part, keys, { hash, selected })
    for await (const _ of queryRows(duck, rows, readingOf(figura, file), sqlOf)) signal.throwIfAborted()
  }
  const [row] = await duck.query<{ keys: bigint; rows: bigint; examples: string | null }>(
    repeatedKeysSql(keys),
  )
  return {
    keys: Number(row?.keys ?? 0),
    rows: Number(row?.rows ?? 0),
    examples: JSON.parse(row?.examples ?? '[]') ?? [],
  }
}

/** How the keys alone are read: no row is left out, and large texts are looked at a few at a time. */
function readingOf({ key }: Figura, { columns, reading }: OpenFile): Reading {
  const own = columns.filter(({ column }) => key.includes(column.name))
  const sources = sourcesOf(own).map(quote)
  const texts = reading.texts.filter(({ expression }) => sources.includes(expression))
  return { columns: own, rules: [], told: [], named: [], texts, recorded: [] }
}

/** The columns of the file that make up the key. */
function keyColumns(
  figura: Figura,
  columns: FittedColumn[],
): (KeyColumn & { fileColumn: string; sources: string[] })[] {
  return columns
    .filter(({ column }) => figura.key.includes(column.name))
    .map(({ column, sources, expression }) => ({
      name: column.name,
      fileColumn: sources[0] ?? '',
      sources,
      expression,
      type: column.type,
    }))
}
