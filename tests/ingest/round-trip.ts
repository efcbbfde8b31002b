import type postgres from 'postgres'
import type { Duckdb } from '../../src/db/duckdb.ts'
import { canonicalName } from '../../src/figura/type-names.ts'
import type { ColumnType } from '../../src/figura/types.ts'
import { copyInto } from '../../src/ingest/copy.ts'
import { createEncoder } from '../../src/ingest/encode.ts'
import { MESSAGE_HEADER_BYTES } from '../../src/ingest/message.ts'
import { duckType } from '../../src/ingest/sql.ts'

/** A column to be loaded: an expression of DuckDB, and the PostgreSQL type that it is loaded as. */
export type Sample = { type: ColumnType; value: string }

/**
 * The values that PostgreSQL shows otherwise than DuckDB, and the bytes that went in and that it gives back.
 */
type Found = { rows: number; differences: unknown[]; sent: Uint8Array; sentBack: Uint8Array }

type EncoderOptions = Parameters<typeof createEncoder>[1]

/**
 * Loads the samples, read `from` DuckDB, into a new table by way of the encoder, and reads them back twice:
 * as text, to be compared with DuckDB's own text value by value, and as binary COPY, to be compared with the
 * bytes that were sent. `from` must have a column `i`, another in each row: PostgreSQL does not keep rows in
 * the order in which they came.
 */
export async function roundTrip(
  sql: postgres.Sql,
  duckdb: Duckdb,
  { samples: given, from, options }: { samples: Sample[]; from: string; options?: EncoderOptions },
): Promise<Found> {
  const table = `t_${crypto.randomUUID().slice(0, 8)}`
  const samples: Sample[] = [{ type: { kind: 'bigint' }, value: 'i' }, ...given]
  const source = select(samples, from)
  const sent: Uint8Array[] = []
  const columns = samples.map(({ type }, at) => `c${at} ${canonicalName(type)}`)
  await sql.unsafe(`create unlogged table ${table} (${columns.join(', ')})`)
  const frames = keep(createEncoder(samples, options).frames(duckdb.stream(source)), sent)
  await sql.begin((tx) => copyInto(tx, `copy ${table} from stdin (format binary)`, frames))
  const expected = await duckdb.query(
    `select ${texts(samples, duckText)} from (${source}) order by c0::bigint`,
  )
  const found = await sql.unsafe(`select ${texts(samples, postgresText)} from ${table} order by ${table}.c0`)
  const sentBack: Uint8Array[] = []
  const copyOut = `copy (select * from ${table} order by c0) to stdout (format binary)`
  for await (const piece of await sql.unsafe(copyOut).readable()) sentBack.push(piece)
  await sql.unsafe(`drop table ${table}`)
  return {
    rows: found.length,
    differences: differences(samples, expected, [...found]),
    sent: Buffer.concat(sent),
    sentBack: Buffer.concat(sentBack),
  }
}

/** The whole stream as one piece of bytes. */
export async function encodeAll(
  duckdb: Duckdb,
  { samples, from, options }: { samples: Sample[]; from: string; options?: EncoderOptions },
): Promise<Uint8Array> {
  const sent: Uint8Array[] = []
  for await (const _ of keep(
    createEncoder(samples, options).frames(duckdb.stream(select(samples, from))),
    sent,
  ));
  return Buffer.concat(sent)
}

function select(samples: Sample[], from: string): string {
  const columns = samples.map(({ type, value }, at) => `(${value})::${duckType(type)} as c${at}`)
  return `select ${columns.join(', ')} from ${from}`
}

/** What the frames carry, without the headers of their messages. A frame is not valid for long. */
async function* keep(frames: AsyncIterable<Uint8Array>, kept: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for await (const frame of frames) {
    kept.push(frame.slice(MESSAGE_HEADER_BYTES))
    yield frame
  }
}

function texts(samples: Sample[], text: (value: string, type: ColumnType) => string): string {
  return samples.map(({ type }, at) => `${text(`c${at}`, type)} as c${at}`).join(', ')
}

/** The first few are enough to see what is wrong. */
function differences(
  samples: Sample[],
  expected: Record<string, unknown>[],
  found: Record<string, unknown>[],
): unknown[] {
  const different: unknown[] = []
  for (let row = 0; row < Math.max(expected.length, found.length); row++) {
    for (const [at, { type }] of samples.entries()) {
      const duck = expected[row]?.[`c${at}`]
      const pg = found[row]?.[`c${at}`]
      const isJson = type.kind === 'jsonb' || type.kind === 'array'
      const same = isJson ? Bun.deepEquals(json(duck), json(pg)) : duck === pg
      if (!same) different.push({ row, type: canonicalName(type), duck, pg })
      if (different.length === 10) return different
    }
  }
  return different
}

function json(text: unknown): unknown {
  return typeof text === 'string' ? JSON.parse(text) : text
}

/** A value as text that both sides spell alike: floats by their bits, bytes in hex. */
function postgresText(value: string, type: ColumnType): string {
  switch (type.kind) {
    case 'bytea':
      return `encode(${value}, 'hex')`
    case 'char':
      return `rtrim(${value}::text, ' ')`
    case 'real':
      return `('x' || encode(float4send(${value}), 'hex'))::bit(32)::text`
    case 'double precision':
      return `('x' || encode(float8send(${value}), 'hex'))::bit(64)::text`
    case 'timestamptz':
      return `case when isfinite(${value}) then (extract(epoch from ${value}) * 1000000)::bigint::text
        else ${value}::text end`
    case 'array':
      return `case when ${value} is not null then to_json(array(
        select ${postgresText('e', type.of)} from unnest(${value}) with ordinality u(e, n) order by n
      ))::text end`
    default:
      return `${value}::text`
  }
}

function duckText(value: string, type: ColumnType): string {
  switch (type.kind) {
    case 'bytea':
      return `lower(hex(${value}))`
    case 'char':
      return `rtrim(${value}, ' ')`
    case 'real':
    case 'double precision':
      return `${value}::bit::varchar`
    case 'numeric': // .5 in DuckDB, 0.5 in PostgreSQL
      return `regexp_replace(${value}::varchar, '^(-?)\\.', '\\10.')`
    case 'date':
    case 'timestamp':
      return `regexp_replace(${value}::varchar, '^(.*) \\(BC\\)(.*)$', '\\1\\2 BC')`
    case 'timestamptz': // as text DuckDB is a millisecond off near the end of its range
      return `case when isfinite(${value}) then epoch_us(${value})::varchar else ${value}::varchar end`
    case 'array':
      return `to_json(list_transform(${value}, e -> ${duckText('e', type.of)}))::varchar`
    default:
      return `${value}::varchar`
  }
}
