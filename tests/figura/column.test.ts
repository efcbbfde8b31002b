import { describe, expect, test } from 'bun:test'
import { parseFigura } from '../../src/figura/load.ts'

describe('a column that says', () => {
  test.each<[spec: string, message: string]>([
    // where it comes from
    [
      "type: text, from: a, expr: 'b'",
      'from beside expr, expected one of them: an expression reads the columns that it names',
    ],
    ['type: text, from: []', 'an empty list, expected at least one entry'],
    ['type: text, from: [a, 1]', '1, expected a text, in quotes'],
    ['type: text, from: 1', '1, expected a text or a list'],
    ['type: text, from: [a, a]', 'a list, expected each entry once'],
    ['type: text, from: [a, A]', '"A" twice, expected each name once, small letters and capitals alike'],
    ['type: text, from: [a, ID]', '"ID", which "id" reads too, expected another column of the file'],
    ["type: text, null_if: ''", '"", expected a list'],
    ['type: text, null_if: []', 'an empty list, expected at least one entry'],
    ['type: text, null_if: [true]', 'true, expected a text or a number'],
    ["type: text, null_if: [0, '0']", '"0" twice, expected each text once'],
    ["type: text, expr: ''", '"", expected a text that is not empty'],
    ["type: text, expr: '  '", 'the expression of blanks, expected an expression'],
    ["type: text, expr: 'a; drop'", 'a ";" in the expression, expected one expression, without it'],
    [
      'type: text, expr: "a || \'x"',
      "a quote that does not end in the expression, expected each ' closed, and two of them for one within a text",
    ],
    [
      "type: text, expr: 'a || \"x'",
      'a quote that does not end in the expression, expected each " closed, and two of them for one within a name',
    ],
    ["type: text, expr: 'a -- b'", 'a comment in the expression, expected an expression without comments'],
    ["type: text, expr: 'a /* b */'", 'a comment in the expression, expected an expression without comments'],
    [
      "type: text, expr: '$1'",
      'a "$" in the expression, expected an expression without it; texts stand in \'…\'',
    ],
    [
      "type: text, expr: 'upper(a'",
      'a "(" without its other half in the expression, expected brackets in pairs',
    ],
    ["type: text, expr: 'a)'", 'a ")" without its other half in the expression, expected brackets in pairs'],
    [
      "type: text, expr: '(a[1)]'",
      'a ")" without its other half in the expression, expected brackets in pairs',
    ],
    ['type: text, expr: "a\\0"', 'a NUL in the expression, expected the expression without it'],
    ["type: text, check: 'c > 1;'", 'a ";" in the check, expected one expression, without it'],
    // what is done with it
    ['type: text, missing: kep', '"kep", expected "keep" or "fill" (did you mean "keep"?)'],
    [
      'type: text, missing: fill, required: true',
      'missing: fill on a required column without a default, expected a default to fill in, or required: false',
    ],
    ['type: text, sensitive: sim', '"sim", expected true or false'],
    ['type: text, only_insert: 1', '1, expected true or false'],
    [
      'type: text, onlyinsert: true',
      'the key "onlyinsert", expected type, required, from, expr, null_if, default, pattern, enum, min, max, ' +
        'max_length, check, sensitive, missing, only_insert (did you mean "only_insert"?)',
    ],
  ])('%s', (spec, message) => {
    expect(messagesOf(figura(`c: { ${spec} }`))).toEqual([`lojas.yaml:6: found ${message}`])
  })

  test.each([
    "type: text, expr: 'split_part(a, '';'', 1) || \"b;(\" || ''it''''s --'''",
    `type: text, expr: "e'it\\\\'s' || 'x'"`,
    "type: text, expr: 'id'",
    "type: text, expr: 'a - -1'",
    'type: text, missing: fill, required: true, default: x',
    'type: text, required: true, default: x',
  ])('%s is right', (spec) => {
    expect(messagesOf(figura(`c: { ${spec} }`))).toEqual([])
  })

  test.each([
    [
      '_bulk_row',
      'the column "_bulk_row", expected a name that does not begin with _bulk_, as those of the service do',
    ],
    [
      '_BULK_x',
      'the column "_BULK_x", expected a name that does not begin with _bulk_, as those of the service do',
    ],
  ])('that it is called %s', (name, message) => {
    expect(messagesOf(figura(`${name}: { type: text }`))).toEqual([`lojas.yaml:6: found ${message}`])
  })
})

describe('columns whose names differ in case alone', () => {
  const two = (more = '') => figura(`Valor: { type: text, from: a }\n  valor: { type: text, from: b${more} }`)

  test.each(["'Valor > 0'", `'id > 0 and "VALOR" > 0'`])('are none that a check may name: %s', (check) => {
    const expected = 'names that differ by more than small letters and capitals, or no check of them'
    expect(messagesOf(two(`, check: ${check}`))).toEqual([
      `lojas.yaml:7: found the column "valor" beside "Valor", and the check ${JSON.stringify(check.slice(1, -1))}, ` +
        `expected ${expected}`,
    ])
  })

  test.each(['', ", check: 'id > 0 and valores > 0'"])('are right where none does: %s', (check) => {
    expect(messagesOf(two(check))).toEqual([])
  })
})

describe('a key column that says', () => {
  test.each([
    [
      'default: 1',
      'default on a key column, expected nothing, for every file and every row of it has the key',
    ],
    [
      'missing: keep',
      'missing on a key column, expected nothing, for every file and every row of it has the key',
    ],
    ['only_insert: true', 'only_insert on a key column, expected nothing, for a key never changes'],
    ['required: false', 'required: false on a key column, expected true, or nothing'],
  ])('%s', (spec, message) => {
    const text = figura('c: { type: text }').replace('bigint }', `bigint, ${spec} }`)
    expect(messagesOf(text)).toEqual([`lojas.yaml:5: found ${message}`])
  })

  test.each(['min: 1', 'enum: [1, 2]', "expr: 'a + 1'", 'from: [a, b]', 'null_if: [0]', 'sensitive: true'])(
    '%s is right',
    (spec) => {
      const text = figura('c: { type: text }').replace('bigint }', `bigint, ${spec} }`)
      expect(messagesOf(text)).toEqual([])
    },
  )
})

test('an expression does not read the column of the file that has its own name', () => {
  expect(messagesOf(figura("c: { type: text, expr: 'x' }\n  d: { type: text, from: c }"))).toEqual([])
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
