import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { openDuckdb, type Duckdb } from '../../src/db/duckdb.ts'
import type { ColumnType, ScalarType } from '../../src/figura/types.ts'
import { duckType } from '../../src/ingest/sql.ts'
import { duckLiteral } from '../../src/quote.ts'
import { freshDatabase, freshFolder, type FreshDatabase } from '../support/servers.ts'
import { roundTrip, type Sample } from './round-trip.ts'

const folder = freshFolder()
let database: FreshDatabase
let duckdb: Duckdb

beforeAll(async () => {
  database = await freshDatabase()
  duckdb = await openDuckdb({ workDir: folder.path, memoryBytes: 512 * 1024 * 1024 })
})

afterAll(async () => {
  await duckdb.close()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** A type, and some of its values as expressions of DuckDB. */
type Values = { type: ColumnType; values: string[] }

const integers = (bits: bigint) =>
  fc.bigInt({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n }).map(String)
const words = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0'))
const text = (length?: number) => words.map((word) => duckLiteral(Array.from(word).slice(0, length).join('')))
const float = (number: number, type: string) => `'${Object.is(number, -0) ? '-0' : number}'::${type}`
const between = (min: bigint, max: bigint) =>
  fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: -10n, max: 10n }))

function scalar(type: ScalarType): fc.Arbitrary<string> {
  switch (type.kind) {
    case 'boolean':
      return fc.constantFrom('true', 'false')
    case 'smallint':
      return integers(16n)
    case 'integer':
      return integers(32n)
    case 'bigint':
      return integers(64n)
    case 'real':
      return fc.float().map((number) => float(number, 'float'))
    case 'double precision':
      return fc.double().map((number) => float(number, 'double'))
    case 'numeric':
      return decimal(type)
    case 'date': // as far as PostgreSQL goes
      return between(-2_440_588n, 2_145_042_905n).map((days) => `(date '1970-01-01' + (${days})::int)`)
    case 'time':
      return between(0n, 86_400_000_000n).map(
        (micros) => `(time '00:00:00' + to_microseconds(abs(${micros})))`,
      )
    case 'timestamp':
    case 'timestamptz':
      return between(-210_866_803_200_000_000n, 9_223_371_331_199_999_999n).map(
        (micros) => `make_timestamp(${micros})`,
      )
    case 'uuid':
      return fc.uuid().map((uuid) => `'${uuid}'`)
    case 'bytea':
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => `unhex('${bytes.toHex()}')`)
    case 'jsonb':
      return fc
        .json({ noUnicodeString: false })
        .filter((json) => !json.includes('\\u'))
        .map(duckLiteral)
    case 'text':
      return text()
    case 'varchar':
    case 'char':
      return text(type.length)
  }
}

/** Digits of any length that fits, so that short and long numbers are as frequent. */
function decimal({ precision, scale }: { precision: number; scale: number }): fc.Arbitrary<string> {
  const digits = fc
    .integer({ min: 1, max: precision })
    .chain((length) => fc.bigInt({ min: 0n, max: 10n ** BigInt(length) - 1n }))
  const zeros = fc.integer({ min: 0, max: precision - 1 }).map((exponent) => 10n ** BigInt(exponent))
  return fc.tuple(fc.oneof(digits, zeros), fc.boolean()).map(([number, negative]) => {
    const padded = String(number).padStart(scale + 1, '0')
    const point = padded.length - scale
    return `'${negative ? '-' : ''}${padded.slice(0, point)}.${padded.slice(point)}'`
  })
}

const plain = fc.constantFrom<ScalarType[]>(
  ...(['boolean', 'smallint', 'integer', 'bigint', 'real', 'double precision', 'text', 'date'] as const).map(
    (kind) => ({ kind }),
  ),
  ...(['time', 'timestamp', 'timestamptz', 'uuid', 'bytea', 'jsonb'] as const).map((kind) => ({ kind })),
)
const numeric = fc
  .integer({ min: 1, max: 38 })
  .chain((precision) =>
    fc
      .integer({ min: 0, max: precision })
      .map((scale): ScalarType => ({ kind: 'numeric', precision, scale })),
  )
const sized = fc
  .tuple(fc.constantFrom('varchar' as const, 'char' as const), fc.integer({ min: 1, max: 40 }))
  .map(([kind, length]): ScalarType => ({ kind, length }))
const element = fc.oneof(
  fc.constantFrom<ScalarType[]>(
    { kind: 'text' },
    { kind: 'varchar', length: 9 },
    { kind: 'smallint' },
    { kind: 'integer' },
  ),
  fc.constantFrom<ScalarType[]>({ kind: 'bigint' }, { kind: 'real' }, { kind: 'double precision' }),
  numeric,
)

const nullable = (value: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: fc.constant('null') })

const column: fc.Arbitrary<Values> = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(plain, numeric, sized).chain((type) => valuesOf(type, scalar(type))) },
  {
    weight: 1,
    arbitrary: element.chain((of) =>
      valuesOf(
        { kind: 'array', of },
        fc
          .array(nullable(scalar(of)), { maxLength: 6 })
          .map((elements) => `[${elements.join(', ')}]::${duckType(of)}[]`),
      ),
    ),
  },
)

function valuesOf(type: ColumnType, value: fc.Arbitrary<string>): fc.Arbitrary<Values> {
  return fc.array(nullable(value), { minLength: 1, maxLength: 12 }).map((values) => ({ type, values }))
}

test('any values of any types arrive as they are, in any number of rows and frames', async () => {
  const shape = fc.record({
    columns: fc.array(column, { minLength: 1, maxLength: 8 }),
    rows: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 2040, max: 4100 })),
    frameBytes: fc.oneof(fc.integer({ min: 19, max: 300 }), fc.integer({ min: 10_000, max: 1_000_000 })),
  })
  await fc.assert(
    fc.asyncProperty(shape, async ({ columns, rows, frameBytes }) => {
      const samples = columns.map(({ type, values }): Sample => {
        const list = `[${values.map((value) => `(${value})::${duckType(type)}`).join(', ')}]`
        return { type, value: `(${list})[i % ${values.length} + 1]` }
      })
      const found = await roundTrip(database.sql, duckdb, {
        samples,
        from: `range(${rows}) t(i)`,
        options: { frameBytes },
      })
      expect({ rows: found.rows, differences: found.differences }).toEqual({ rows, differences: [] })
      const own = columns.some(({ type }) => type.kind === 'jsonb' || type.kind === 'char')
      if (!own) expect(Buffer.compare(found.sent, found.sentBack)).toBe(0)
    }),
    { seed: 20_251_123, numRuns: 150, endOnFailure: true },
  )
}, 60_000)
