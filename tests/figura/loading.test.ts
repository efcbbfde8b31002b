import { describe, expect, test } from 'bun:test'
import { parseFigura } from '../../src/figura/load.ts'

const WHOLE = `description: Lojas
table: cadastro.lojas
key: [id]
columns:
  id: { type: bigint }
  filial: { type: smallint }
  ativo: { type: boolean }
  dados: { type: jsonb }
  quando: { type: timestamptz }
  criado: { type: timestamptz, only_insert: true }
~
sources: ['s3://exportacoes/lojas/']
`

const LINE = 11
const NAMES = '(id, filial, ativo, dados, quando, criado)'

describe('a load that says', () => {
  test.each<[part: string, message: string]>([
    [
      'mode: upsert',
      '"upsert", expected "merge", "append", "insert", "replace" or "delete" (did you mean "insert"?)',
    ],
    ['mode: 1', '1, expected "merge", "append", "insert", "replace" or "delete"'],
    [
      'mood: merge',
      'the key "mood", expected mode, allow, version, duplicates, scope, max_delete_percent, ' +
        'delete_marker, history, audit (did you mean "mode"?)',
    ],
    [
      'allow: [delet]',
      '"delet", expected "merge", "append", "insert", "replace" or "delete" (did you mean "delete"?)',
    ],
    ['allow: delete', '"delete", expected a list'],
    ['allow: [delete, delete]', 'a list, expected each entry once'],
    ['version: quand', `the version "quand", expected a name from columns ${NAMES} (did you mean "quando"?)`],
    [
      'version: ativo',
      'the version "ativo", which is boolean, expected a column of numbers, dates or timestamps',
    ],
    [
      'version: dados',
      'the version "dados", which is jsonb, expected a column of numbers, dates or timestamps',
    ],
    [
      'version: id',
      'the version "id", which is part of the key, expected a column in which rows of one key differ',
    ],
    [
      'version: criado',
      'the version "criado", which is only_insert, expected a column that changes with its row',
    ],
    ["version: ''", '"", expected a text that is not empty'],
    [
      'duplicates: newest',
      'duplicates: newest without a version, expected version: the column that tells which row is newer',
    ],
    ['duplicates: lst', '"lst", expected "refuse", "first", "last" or "newest" (did you mean "last"?)'],
    ['scope: [filial]', 'scope without the mode replace, expected replace as mode or in allow'],
    [
      'max_delete_percent: 5',
      'max_delete_percent without the mode replace, expected replace as mode or in allow',
    ],
    ['mode: replace, max_delete_percent: 101', '101, expected at most 100'],
    ['mode: replace, max_delete_percent: -1', '-1, expected at least 0'],
    ['mode: replace, max_delete_percent: 5%', '"5%", expected a number'],
    [
      'mode: replace, scope: [filal]',
      `the scope column "filal", expected a name from columns ${NAMES} (did you mean "filial"?)`,
    ],
    [
      'allow: [replace], scope: [dados]',
      'the scope column "dados", which is jsonb, expected a column whose values can be compared',
    ],
    ['delete_marker: excluido', '"excluido", expected a mapping such as {"from":"excluido","how":"hard"}'],
    ['delete_marker: { from: excluido }', 'no "how" in "delete_marker", expected one, such as hard'],
    ['delete_marker: { how: hard }', 'no "from" in "delete_marker", expected one, such as excluido'],
    [
      'delete_marker: { from: excluido, how: har }',
      '"har", expected "hard" or "soft" (did you mean "hard"?)',
    ],
    [
      'delete_marker: { from: excluido, how: soft }',
      'no "at" in "delete_marker" with how: soft, expected the column for the time, such as excluido_em',
    ],
    [
      'delete_marker: { from: excluido, how: hard, at: fora }',
      'at "fora" with how: hard, expected nothing, for the row is gone, or how: soft',
    ],
    [
      'delete_marker: { from: excluido, how: soft, at: quando }',
      'the column "quando", which columns has, expected a column that only the service fills',
    ],
    ['delete_marker: { from: "\\0", how: hard }', 'a NUL in a name, expected a name without it'],
    ['history: sim', '"sim", expected true or false'],
    [
      'audit: { loaded_at: Quando }',
      'the column "Quando", which columns has, expected a column that only the service fills',
    ],
    [
      'audit: { loaded_at: fora, job_id: fora }',
      'the column "fora", which audit.loaded_at has too, expected a column for each',
    ],
    [
      'audit: { job_id: _bulk_job }',
      'the column "_bulk_job", expected a name that does not begin with _bulk_, as those of the service do',
    ],
    ['audit: { job_id: xmin }', 'the column "xmin", expected a name that PostgreSQL does not use itself'],
    [`audit: { job_id: ${'c'.repeat(64)} }`, 'a name of 64 bytes, expected at most 63'],
    ['audit: { jobid: carga }', 'the key "jobid", expected loaded_at, job_id (did you mean "job_id"?)'],
  ])('%s', (part, message) => {
    expect(messagesOf(WHOLE.replace('~', `load: { ${part} }`))).toEqual([
      `lojas.yaml:${LINE}: found ${message}`,
    ])
  })

  test.each([
    'mode: delete',
    'mode: append',
    'mode: merge, allow: [merge, replace], scope: [filial, id], max_delete_percent: 0',
    'version: filial, duplicates: newest',
    'duplicates: first, scope: []',
    'delete_marker: { from: ativo, how: hard }, version: quando',
    'delete_marker: { from: fora, how: soft, at: fora }, audit: { loaded_at: em }, history: true',
  ])('%s is right', (part) => {
    expect(messagesOf(WHOLE.replace('~', `load: { ${part} }`))).toEqual([])
  })
})

describe('without a key', () => {
  const keyless = WHOLE.replace('key: [id]\n', '')
  const line = LINE - 1

  test.each([
    ['', 'merge'],
    ['load: { mode: append, allow: [merge, delete] }', 'merge, delete'],
    ['load: { mode: replace }', 'replace'],
  ])('%s is no figura', (part, modes) => {
    const expected = `expected at least one entry, such as ["id"], for the mode ${modes}`
    expect(messagesOf(keyless.replace('~', part))).toEqual([
      `lojas.yaml:1: found no "key" in the file, ${expected}`,
    ])
    expect(messagesOf(WHOLE.replace('[id]', '[]').replace('~', part))).toEqual([
      `lojas.yaml:3: found an empty list, ${expected}`,
    ])
  })

  test.each([
    ['version', 'version: quando'],
    ['duplicates', 'duplicates: last'],
    ['delete_marker', 'delete_marker: { from: fora, how: hard }'],
    ['history', 'history: true'],
  ])('there is no %s', (name, part) => {
    expect(messagesOf(keyless.replace('~', `load: { mode: append, ${part} }`))).toEqual([
      `lojas.yaml:${line}: found ${name} without a key, expected a key, by which rows are found again`,
    ])
  })
})

test('a table with history has a name that leaves room for that of its history', () => {
  const named = (length: number) =>
    WHOLE.replace('lojas', 'l'.repeat(length)).replace('~', 'load: { history: true }')
  const renamed = (length: number) =>
    messagesOf(named(length).replace(/^description: l+/, 'description: Lojas'))
  expect(renamed(55)).toEqual([])
  expect(renamed(56)).toEqual([
    'lojas.yaml:2: found a name of 56 bytes with history, expected at most 55, for <table>_history to be a name',
  ])
  expect(messagesOf(WHOLE.replace('cadastro.lojas', 'l'.repeat(63)).replace('~', ''))).toEqual([])
})

describe('a figura that says', () => {
  test.each<[part: string, message: string]>([
    ["checks: { vigencia: '' }", '"", expected a text that is not empty'],
    [
      "checks: { vigencia: 'a < (b' }",
      'a "(" without its other half in the check, expected brackets in pairs',
    ],
    ["checks: { '': 'a < b' }", 'a check without a name, expected a name that errors show'],
    ['checks: {}', 'an empty mapping, expected at least one entry'],
    ['checks: [a]', 'a list, expected a mapping such as {"vigencia":"inicio <= fim"}'],
    ['checks: { a: 1 }', '1, expected a text, in quotes'],
    ['checks: { "a\\0": b }', 'a NUL in the name of a check, expected the name of a check without it'],
    [
      'extra: ignor',
      '"ignor", expected "ignore", "refuse" or a mapping such as {"keep":"outros"} (did you mean "ignore"?)',
    ],
    ['extra: { kep: outros }', 'no "keep" in "extra", expected one, such as outros'],
    [
      'extra: { keep: dados }',
      'the column "dados", which columns has, expected a column that only the service fills',
    ],
    [
      'extra: { keep: _bulk_extra }',
      'the column "_bulk_extra", expected a name that does not begin with _bulk_, as those of the service do',
    ],
    ['extra: { keep: 5 }', '5, expected a text, in quotes'],
    ['rejects: { max_rows: -1 }', '-1, expected at least 0'],
    ['rejects: { max_rows: 1.5 }', '1.5, expected a whole number'],
    ['rejects: { max_percent: 100.5 }', '100.5, expected at most 100'],
    ['rejects: { max_percent: 1% }', '"1%", expected a number'],
    ['rejects: { rows: 1 }', 'the key "rows", expected max_rows, max_percent'],
    ['limits: { max_bytes: 0 }', '0, expected at least 1'],
    ['limits: { max_rows: 1kk }', '"1kk", expected a whole number'],
    ["csv: { delimiter: ';;' }", 'the delimiter ";;", expected one character of ASCII that ends no line'],
    ["csv: { delimiter: '¦' }", 'the delimiter "¦", expected one character of ASCII that ends no line'],
    ["csv: { delimiter: '' }", 'the delimiter "", expected one character of ASCII that ends no line'],
    ['csv: { delimiter: "\\n" }', 'the delimiter "\\n", expected one character of ASCII that ends no line'],
    [
      `csv: { quote: "''" }`,
      `the quote "''", expected one character of ASCII that ends no line, or an empty text for none`,
    ],
    [
      "csv: { delimiter: '|', quote: '|' }",
      'the quote "|", which is the delimiter, expected another character',
    ],
    [
      "csv: { decimal: ',' }",
      '"," as delimiter and as decimal, expected one of them only, such as delimiter: \';\'',
    ],
    [
      'csv: { delimiter: . }',
      '"." as delimiter and as decimal, expected one of them only, such as delimiter: \';\'',
    ],
    ["csv: { decimal: ';' }", '";", expected "." or ","'],
    [
      "csv: { 'null': 'a,b' }",
      'the null "a,b" with "," in it, expected a text without delimiter, quote and line end',
    ],
    ['csv: { null: NULL }', 'nothing, expected a text, in quotes'],
  ])('%s', (part, message) => {
    const messages = messagesOf(WHOLE.replace('~', part))
    expect(messages[0]).toBe(`lojas.yaml:${LINE}: found ${message}`)
  })

  test('one name for two columns of the service', () => {
    const parts = 'extra: { keep: outros }\nload: { audit: { job_id: Outros } }'
    expect(messagesOf(WHOLE.replace('~', parts))).toEqual([
      'lojas.yaml:12: found the column "Outros", which extra.keep has too, expected a column for each',
    ])
  })

  test.each([
    [6, 'valid_from', 'valid_from: { type: date }', ''],
    [6, 'job_id', 'job_id: { type: text }', ''],
    [12, 'valid_to', 'filial: { type: smallint }', '\nextra: { keep: valid_to }'],
  ])('in line %d a column %s, which a history has too', (line, name, column, extra) => {
    const text = WHOLE.replace('filial: { type: smallint }', column)
    expect(messagesOf(text.replace('~', `load: { history: true }${extra}`))).toEqual([
      `lojas.yaml:${line}: found the column "${name}" with history: true, ` +
        'expected another name, for the history has a column of that name of its own',
    ])
    expect(messagesOf(text.replace('~', `load: { history: false }${extra}`))).toEqual([])
  })

  test.each([
    'extra: ignore',
    'rejects: { max_rows: 0, max_percent: 100 }',
    'rejects: {}',
    'limits: {}',
    'csv: {}',
    "csv: { delimiter: \"\\t\", quote: '', null: '\\N' }",
  ])('%s is right', (part) => {
    expect(messagesOf(WHOLE.replace('~', part))).toEqual([])
  })
})

function messagesOf(text: string): string[] {
  const parsed = parseFigura('lojas', text)
  return 'errors' in parsed ? parsed.errors.map((error) => error.message) : []
}
