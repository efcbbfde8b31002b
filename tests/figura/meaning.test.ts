import { describe, expect, test } from 'bun:test'
import { parseFigura } from '../../src/figura/load.ts'

const WHOLE = `description: Lojas
table: lojas
key: [id]
columns:
  id: { type: bigint }
  uf: { type: char(2), from: estado }
sources: ['s3://exportacoes/lojas/']
`

// a contract is kept as jsonb, which takes neither: each must be told where it stands in the file
describe.each([
  ['a NUL', '\\0'],
  ['half a character', '\\ud83d'],
  ['half a character', '\\udc00'],
])('%s (%s) is told with its line', (found, escape) => {
  test.each([
    ['the description', 'Lojas', '"Lo~jas"', 1, 'a text'],
    ['the table', 'table: lojas', 'table: "lo~jas"', 2, 'a name'],
    ['the name of a column', '  uf:', '  "u~f":', 6, 'a name'],
    ['the name of a column of the file', 'estado', '"es~tado"', 6, 'a name'],
    ['a source', "'s3://exportacoes/lojas/'", '"s3://exportacoes/lo~jas/"', 7, 'a source'],
  ])('in %s', (_, from, to, line, what) => {
    const errors = errorsOf(WHOLE.replace(from, to.replace('~', escape)))
    expect(errors.map((error) => [error.line, error.found])).toEqual([[line, `${found} in ${what}`]])
  })
})

test('a character that takes two halves is one', () => {
  expect(errorsOf(WHOLE.replace('Lojas', '"Lojas \\ud83d\\ude00"'))).toEqual([])
  expect(errorsOf(WHOLE.replace('estado', '😀'))).toEqual([])
})

test('the name of a column in the file may be longer than PostgreSQL allows', () => {
  expect(errorsOf(WHOLE.replace('estado', 'e'.repeat(100)))).toEqual([])
})

function errorsOf(text: string) {
  const parsed = parseFigura('lojas', text)
  return 'errors' in parsed ? parsed.errors : []
}
