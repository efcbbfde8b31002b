import fc from 'fast-check'

/** For each type, DuckDB's type and literals of its edges; PostgreSQL can hold all of them. */
export const TYPES: Record<string, { duck: string; edges: string[]; random: fc.Arbitrary<string> }> = {
  boolean: { duck: 'boolean', edges: ['true', 'false'], random: fc.boolean().map(String) },
  smallint: { duck: 'smallint', edges: ['-32768', '32767', '0'], random: whole(-32768n, 32767n) },
  integer: {
    duck: 'integer',
    edges: ['-2147483648', '2147483647'],
    random: whole(-(2n ** 31n), 2n ** 31n - 1n),
  },
  bigint: {
    duck: 'bigint',
    edges: ["'-9223372036854775808'", "'9223372036854775807'"],
    random: whole(-(2n ** 63n), 2n ** 63n - 1n),
  },
  real: {
    duck: 'float',
    edges: ["'-0'", "'nan'", "'inf'", "'-inf'", "'3.4028235e38'", "'1.1754944e-38'", "'1e-45'", "'0'"],
    random: fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => `'${value}'`),
  },
  'double precision': {
    duck: 'double',
    edges: ["'nan'", "'inf'", "'-inf'", "'-0'", "'1.7976931348623157e308'", "'5e-324'", "'-0.1'"],
    random: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => `'${value}'`),
  },
  'numeric(4,0)': { duck: 'decimal(4,0)', edges: ['9999', '-9999', '0'], random: whole(-9999n, 9999n) },
  'numeric(15,2)': {
    duck: 'decimal(15,2)',
    edges: ["'9999999999999.99'", "'-0.01'", "'1000000.00'"],
    random: decimal(15, 2),
  },
  'numeric(18,18)': {
    duck: 'decimal(18,18)',
    edges: ["'0.999999999999999999'", "'-0.000000000000000001'"],
    random: decimal(18, 18),
  },
  'numeric(38,10)': {
    duck: 'decimal(38,10)',
    edges: [
      "'9999999999999999999999999999.9999999999'",
      "'-9999999999999999999999999999.9999999999'",
      "'0.0000000001'",
      "'100000000'",
    ],
    random: decimal(38, 10),
  },
  text: {
    duck: 'varchar',
    edges: [
      "''",
      "'12 bytes ok.'",
      "'13 bytes here'",
      "'São Paulo 🙂'",
      "repeat('ç', 5000)",
      "E'\\n\\t\\\\'",
      "'\\N'",
    ],
    random: fc.string({ unit: 'grapheme', maxLength: 60 }).map(literal),
  },
  'varchar(8)': {
    duck: 'varchar',
    edges: ["''", "'12345678'", "'🙂🙂🙂🙂🙂🙂🙂🙂'"],
    random: fc.string({ unit: 'binary-ascii', maxLength: 8 }).map(literal),
  },
  'char(3)': {
    duck: 'varchar',
    edges: ["''", "'a'", "'abc'", "'çãé'"],
    random: fc.constantFrom("'x'", "'SP'", "'MG '"),
  },
  date: {
    duck: 'date',
    edges: [
      "'infinity'",
      "'-infinity'",
      "'1969-12-31'",
      "'0001-01-01'",
      "'4714-11-24 (BC)'",
      "'0044-03-15 (BC)'",
      "'9999-12-31'",
    ],
    random: fc.integer({ min: -700000, max: 2_000_000 }).map((days) => `(date '1970-01-01' + ${days})`),
  },
  time: {
    duck: 'time',
    edges: ["'00:00:00'", "'23:59:59.999999'"],
    random: fc.integer({ min: 0, max: 86399 }).map((s) => `(time '00:00:00' + to_seconds(${s}))`),
  },
  timestamp: {
    duck: 'timestamp',
    edges: [
      "'infinity'",
      "'-infinity'",
      "'1969-12-31 23:59:59.999999'",
      "'0001-01-01 00:00:00'",
      "'4713-01-01 (BC) 00:00:00'",
      "'2026-11-23 12:34:56.123456'",
    ],
    random: micros().map((us) => `make_timestamp(${us})`),
  },
  timestamptz: {
    duck: 'timestamptz',
    edges: [
      "'infinity'",
      "'-infinity'",
      "'1969-12-31 23:59:59.999999+00'",
      "'2026-11-23 12:34:56.123456-03'",
    ],
    random: micros().map((us) => `make_timestamp(${us})::timestamptz`),
  },
  uuid: {
    duck: 'uuid',
    edges: ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    random: fc.uuid().map((id) => `'${id}'`),
  },
  bytea: {
    duck: 'blob',
    edges: ["''::blob", "'\\x00\\xFF'::blob"],
    random: fc.uint8Array({ maxLength: 40 }).map((bytes) => `unhex('${Buffer.from(bytes).toString('hex')}')`),
  },
  jsonb: {
    duck: 'varchar',
    edges: [`'{}'`, `'null'`, `'[1, "é", {"a": null}]'`, `'"\\u00e9"'`.replace('\\u00e9', 'é')],
    random: fc.integer().map((value) => `'{"n": ${value}}'`),
  },
  'text[]': {
    duck: 'varchar[]',
    edges: ['[]', '[null]', "['', 'a', '13 bytes here']"],
    random: fc
      .array(fc.string({ maxLength: 20, unit: 'binary-ascii' }).map(literal), { maxLength: 5 })
      .map((list) => `[${list.join(', ')}]`),
  },
  'integer[]': {
    duck: 'integer[]',
    edges: ['[]', '[-2147483648, null, 2147483647]'],
    random: fc.array(fc.integer(), { maxLength: 6 }).map((list) => `[${list.join(', ')}]`),
  },
  'numeric(10,2)[]': {
    duck: 'decimal(10,2)[]',
    edges: ['[]', "['99999999.99', null, '-0.01']"],
    random: fc.array(decimal(10, 2), { maxLength: 4 }).map((list) => `[${list.join(', ')}]`),
  },
  'double precision[]': {
    duck: 'double[]',
    edges: ['[]', "['nan', 'inf', null]"],
    random: fc
      .array(fc.double({ noNaN: true, noDefaultInfinity: true }).map(String), { maxLength: 4 })
      .map((list) => `[${list.join(', ')}]`),
  },
}

function whole(min: bigint, max: bigint): fc.Arbitrary<string> {
  return fc.bigInt({ min, max }).map((value) => `'${value}'`)
}

function decimal(precision: number, scale: number): fc.Arbitrary<string> {
  const max = 10n ** BigInt(precision) - 1n
  return fc.bigInt({ min: -max, max }).map((value) => {
    const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
    const fraction = scale ? `.${digits.slice(-scale)}` : ''
    return `'${value < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${fraction}'`
  })
}

function micros(): fc.Arbitrary<bigint> {
  return fc.bigInt({ min: -200_000_000_000_000_000n, max: 9_000_000_000_000_000_00n })
}

/** A text as a DuckDB literal; NUL is left out, since PostgreSQL cannot hold it. */
function literal(text: string): string {
  return `'${text.replaceAll('\0', '').replaceAll("'", "''")}'`
}
