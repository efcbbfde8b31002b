import { describe, expect, test } from 'bun:test'
import { parseFigura } from '../../src/figura/load.ts'

describe('a column that says', () => {
  test.each<[spec: string, message: string]>([
    // texts
    [
      "type: integer, pattern: '^1'",
      'pattern on a column of integer, expected a column of text, varchar(n) or char(n)',
    ],
    ["type: text, pattern: '(a'", 'the pattern "(a" (missing )), expected a regular expression'],
    [
      "type: text, pattern: '^(?!a)'",
      'the lookaround "(?!" in the pattern, expected a regular expression without it, as RE2 reads them',
    ],
    [
      "type: text, pattern: '(?<=a)b'",
      'the lookaround "(?<=" in the pattern, expected a regular expression without it, as RE2 reads them',
    ],
    [
      "type: text, pattern: '(a)\\1'",
      'the backreference "\\\\1" in the pattern, expected a regular expression without it, as RE2 reads them',
    ],
    [
      "type: text, pattern: '\\y'",
      'the escape "\\\\y" in the pattern, expected one that RE2 knows, such as \\d or \\w',
    ],
    ["type: text, pattern: 'a{1001}'", 'the count {1001} in the pattern, expected at most 1000'],
    ['type: text, pattern: 123', '123, expected a text, in quotes'],
    ["type: text, pattern: ''", '"", expected a text that is not empty'],
    [
      'type: integer, max_length: 5',
      'max_length on a column of integer, expected a column of text, varchar(n) or char(n)',
    ],
    [
      'type: varchar(5), max_length: 6',
      'max_length 6 on varchar(5), expected at most 5, the length of the type',
    ],
    ['type: text, max_length: 0', '0, expected at least 1'],
    ['type: text, max_length: 1.5', '1.5, expected a whole number'],
    ['type: text, max_length: muito', '"muito", expected a whole number'],
    // bounds
    [
      'type: text, min: a',
      'min on a column of text, expected a column of numbers, dates or timestamps, or max_length',
    ],
    [
      'type: boolean, max: true',
      'max on a column of boolean, expected a column of numbers, dates or timestamps',
    ],
    ['type: smallint, min: 40000', 'min 40000, expected a whole number from -32768 to 32767'],
    ['type: integer, min: 1.5', 'min 1.5, expected a whole number from -2147483648 to 2147483647'],
    [
      'type: bigint, max: 9007199254740993',
      'max 9007199254740993, expected it in quotes, since YAML keeps about 15 digits of a number',
    ],
    [
      "type: bigint, max: '9223372036854775808'",
      'max "9223372036854775808", expected a whole number from -9223372036854775808 to 9223372036854775807',
    ],
    [
      "type: 'numeric(5,2)', max: 1000",
      'max 1000, expected a number with at most 3 digits before the point and 2 behind',
    ],
    [
      "type: 'numeric(5,2)', max: 0.125",
      'max 0.125, expected a number with at most 3 digits before the point and 2 behind',
    ],
    ['type: real, max: 1e39', 'max 1e39, expected a number that real can hold'],
    ['type: double precision, max: dez', 'max "dez", expected a number that double precision can hold'],
    ['type: double precision, max: .inf', 'Infinity, expected a number'],
    ['type: integer, min: 3, max: 2', 'max 2 below min 3, expected min at most as great as max'],
    [
      'type: date, min: 2026-02-01, max: 2026-01-31',
      'max "2026-01-31" below min "2026-02-01", expected min at most as great as max',
    ],
    ['type: date, min: 2026-02-30', 'min "2026-02-30", expected a date such as 2026-02-27'],
    [
      'type: timestamp, min: 2026-02-27T10:00:00Z',
      'min "2026-02-27T10:00:00Z", expected a time without a zone, such as 2026-02-27 14:03:11',
    ],
    [
      'type: timestamptz, min: 2026-02-27',
      'min "2026-02-27", expected a time with its zone, such as 2026-02-27T14:03:11-03:00',
    ],
    [
      'type: timestamptz, min: 2026-02-27T10:00:00-03:00, max: 2026-02-27T12:59:59Z',
      'max "2026-02-27T12:59:59Z" below min "2026-02-27T10:00:00-03:00", expected min at most as great as max',
    ],
    // enum
    ['type: char(2), enum: [SP, RIO]', 'the enum value "RIO", expected a text of at most 2 characters'],
    [
      'type: char(2), enum: [SP, 02]',
      'the enum value 02, expected a text of at most 2 characters, in quotes',
    ],
    [
      'type: integer, enum: [1, dois]',
      'the enum value "dois", expected a whole number from -2147483648 to 2147483647',
    ],
    ["type: 'numeric(5,2)', enum: [1, 1.00]", 'the enum value 1 twice, expected each value once'],
    ["type: char(3), enum: ['A', 'A ']", 'the enum value "A " twice, expected each value once'],
    ['type: text, enum: []', 'an empty list, expected at least one entry'],
    ['type: text, enum: SP', '"SP", expected a list'],
    ['type: jsonb, enum: [a]', 'enum on a column of jsonb, expected a type whose values can be written here'],
    [
      "type: 'text[]', enum: [a]",
      'enum on a column of text[], expected a type whose values can be written here',
    ],
    // default
    ['type: boolean, default: sim', 'the default "sim", expected true or false'],
    ['type: text, default: true', 'the default true, expected a text, in quotes'],
    ['type: varchar(1), default: ab', 'the default "ab", expected a text of at most 1 character'],
    [
      'type: uuid, default: abc',
      'the default "abc", expected a uuid such as 6f1c7c9e-2b3a-4c5d-8e9f-0a1b2c3d4e5f',
    ],
    ["type: jsonb, default: '{a}'", 'the default "{a}", expected a text of JSON'],
    ["type: time, default: '25:00:00'", 'the default "25:00:00", expected a time such as 14:03:11'],
    [
      "type: bytea, default: 'x'",
      'the default "x", expected nothing, for such a value cannot be written here',
    ],
    [
      "type: 'text[]', default: 'x'",
      'the default "x", expected nothing, for such a value cannot be written here',
    ],
    ['type: text, default: null', 'nothing, expected a text, a number or true or false'],
    ['type: char(2), enum: [AC, AL], default: SP', 'the default "SP", expected one of enum ("AC", "AL")'],
    ['type: integer, min: 1, default: 0', 'the default 0, expected at least min, 1'],
    [
      'type: date, max: 2026-01-01, default: 2026-01-02',
      'the default "2026-01-02", expected at most max, "2026-01-01"',
    ],
    [
      'type: text, max_length: 2, default: abc',
      'the default "abc", expected at most max_length, 2 characters',
    ],
    [
      "type: text, pattern: '^[0-9]+$', default: abc",
      'the default "abc", expected a text that pattern matches',
    ],
    ['type: text, default: "a\\0"', 'a NUL in a text, expected a text without it'],
  ])('%s', (spec, message) => {
    expect(messagesOf(figura(`c: { ${spec} }`))).toEqual([`lojas.yaml:6: found ${message}`])
  })

  test.each([
    "type: text, pattern: '^(?:a|b)[^\\\\]\\d{2,3}\\-$'",
    "type: text, pattern: '(?i)^x$', default: X",
    "type: text, pattern: '(?P<a>x)\\A[[:alpha:]]\\z'",
    "type: text, pattern: '[\\]?=(?!]'",
    "type: text, pattern: '^.$', default: 😀",
    'type: char(2), default: 😀é',
    "type: bigint, min: '-9223372036854775808', max: '9223372036854775807'",
    'type: integer, min: 0x10, max: 1e3',
    'type: double precision, min: 0.1, max: 1e300',
    "type: 'numeric(38,10)', max: '1234567890123456789012345678.0123456789', default: 1.50",
    "type: 'numeric(2,2)', max: 0.99, default: 0",
    'type: date, min: 2024-02-29',
    "type: timestamp, min: 2026-02-27, default: '2026-02-27 00:00:00.000001'",
    'type: timestamptz, enum: [2026-02-27T10:00:00-03:00], default: 2026-02-27T13:00:00Z',
    "type: time, default: '23:59:59.5'",
    'type: jsonb, default: \'{"a": []}\'',
    'type: uuid, default: 6F1C7C9E-2B3A-4C5D-8E9F-0A1B2C3D4E5F',
    'type: boolean, enum: [true]',
  ])('%s is right', (spec) => {
    expect(messagesOf(figura(`c: { ${spec} }`))).toEqual([])
  })
})

function figura(column: string): string {
  return `description: Lojas
table: cadastro.lojas
key: [id]
columns:
  id: { type: bigint }
  ${column}
sources: ['s3://exportacoes/lojas/']
`
}

function messagesOf(text: string): string[] {
  const parsed = parseFigura('lojas', text)
  return 'errors' in parsed ? parsed.errors.map((error) => error.message) : []
}
