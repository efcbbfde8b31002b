import { expect, test } from 'bun:test'
import { cutRuns } from '../../src/ingest/runs.ts'

test.each<[string, [bigint | null, bigint | null][], number[]]>([
  [
    'rise',
    [
      [1n, 9n],
      [10n, 19n],
      [20n, 29n],
      [30n, 39n],
    ],
    [2, 2],
  ],
  [
    'fall',
    [
      [30n, 39n],
      [20n, 29n],
      [10n, 19n],
      [1n, 9n],
    ],
    [2, 2],
  ],
  [
    'touch',
    [
      [1n, 10n],
      [10n, 19n],
      [19n, 29n],
      [29n, 39n],
    ],
    [4],
  ],
  [
    'overlap in one place, which stays together',
    [
      [1n, 9n],
      [10n, 19n],
      [15n, 29n],
      [30n, 39n],
    ],
    [1, 2, 1],
  ],
  [
    'overlap with one far away',
    [
      [1n, 9n],
      [10n, 19n],
      [20n, 29n],
      [5n, 6n],
    ],
    [4],
  ],
  [
    'come in no order',
    [
      [20n, 29n],
      [1n, 9n],
      [30n, 39n],
      [10n, 19n],
    ],
    [4],
  ],
  [
    'are missing for one',
    [
      [1n, 9n],
      [null, null],
      [20n, 29n],
      [30n, 39n],
    ],
    [4],
  ],
  [
    'make no sense',
    [
      [1n, 9n],
      [19n, 10n],
      [20n, 29n],
      [30n, 39n],
    ],
    [4],
  ],
  [
    'are beyond what a double can tell apart',
    [
      [1n, 2n ** 62n],
      [2n ** 62n + 1n, 2n ** 63n - 1n],
    ],
    [1, 1],
  ],
])('row groups whose keys %s', (_, stats, expected) => {
  const groups = stats.map(([least, greatest]) => ({ rows: 100, least, greatest }))
  const runs = cutRuns(groups, stats.length === 2 ? 100 : 200)
  expect(runs.map(({ rowStart, rowEnd }) => (rowEnd - rowStart) / 100)).toEqual(expected)
})

test('row groups without rows say nothing of the others', () => {
  const groups = [
    { rows: 100, least: 1n, greatest: 9n },
    { rows: 0, least: null, greatest: null },
    { rows: 100, least: 10n, greatest: 19n },
  ]
  expect(cutRuns(groups, 100)).toEqual([
    { rowStart: 0, rowEnd: 100 },
    { rowStart: 100, rowEnd: 200 },
  ])
  expect(cutRuns([], 100)).toEqual([])
})
