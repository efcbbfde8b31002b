import { expect, test } from 'bun:test'
import { markdownTable } from '../../src/api/markdown.ts'

test('a table has its head and a line for each row', () => {
  expect(
    markdownTable(
      ['a', 'b'],
      [
        ['1', '2'],
        ['3', ''],
      ],
    ),
  ).toBe('| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |  |')
})

test('a cell stays one cell of one line, whatever its text holds', () => {
  const [, , ...lines] = markdownTable(['a', 'b'], [['x|y', 'one\n\n  two\r\nthree']]).split('\n')
  expect(lines).toEqual(['| x&#124;y | one two three |'])
})
