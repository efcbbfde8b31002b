import { expect, test } from 'bun:test'
import { nearest } from '../../src/figura/nearest.ts'

test.each([
  ['fornecedor', 'fornecedores'],
  ['produtoss', 'produtos'],
  ['kye', 'key'],
  ['clientes', undefined],
  ['uf', undefined],
])('the word meant by %p is %p', (word, meant) => {
  expect(nearest(word, ['fornecedores', 'produtos', 'key', 'id'])).toBe(meant)
})

test('nothing is meant where there is nothing', () => {
  expect(nearest('fornecedores', [])).toBeUndefined()
})
