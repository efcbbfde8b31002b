import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BulkError } from '../../src/errors.ts'
import { cutChunks, planFile } from '../../src/ingest/plan.ts'
import type { FileShape } from '../../src/ingest/shape.ts'
import { type Bounds, readConfig } from '../../src/config.ts'

const MiB = 1024 * 1024
const bounds = {
  ...readConfig({ DATABASE_URL: 'postgres://u@h/d', NATS_URL: 'nats://h:4222' }).bounds,
  chunkRows: 1000,
  chunkBytes: 10 * MiB,
}

describe('a file is cut', () => {
  test('into chunks of whole row groups, joined while they stay within the bounds', () => {
    expect(ranges([400, 400, 400, 400, 100])).toEqual([
      [0, 800],
      [800, 1700],
    ])
  })

  test('by bytes as well as by rows', () => {
    expect(ranges([10, 10, 10], [6 * MiB, 6 * MiB, 3 * MiB])).toEqual([
      [0, 10],
      [10, 30],
    ])
  })

  test('inside a row group that is above the bounds', () => {
    expect(ranges([100, 2500, 100])).toEqual([
      [0, 100],
      [100, 934],
      [934, 1768],
      [1768, 2600],
      [2600, 2700],
    ])
  })

  test('into one empty chunk when it has no rows', () => {
    expect(ranges([])).toEqual([[0, 0]])
    expect(ranges([0])).toEqual([[0, 0]])
  })

  test('with a look at the keys first, and one at the digest where one was announced', () => {
    const kinds = (sha256: string | null) =>
      cutChunks(shape([5]), { sha256, bounds, keys: true }).map((chunk) => chunk.kind)
    expect(kinds(null)).toEqual(['keys', 'rows'])
    expect(kinds('ab')).toEqual(['keys', 'digest', 'rows'])
  })

  test('into sixteen chunks of equal work where it is large enough, and the bounds allow as much', () => {
    const cut = ranges(Array(64).fill(10), Array(64).fill(8 * MiB), { chunkBytes: 1024 * MiB })
    expect(cut).toHaveLength(16)
    expect(cut.every(([from, to]) => to - from === 40)).toBe(true)
  })

  test('into fewer chunks when it is small, however tiny its row groups are', () => {
    expect(ranges(Array(1000).fill(1), Array(1000).fill(1000))).toEqual([[0, 1000]])
    expect(ranges(Array(24).fill(1), Array(24).fill(MiB), { chunkBytes: 1024 * MiB })).toHaveLength(3)
  })

  test('by its rows too: a column of few bytes has as many values to be written', () => {
    const rows = { chunkRows: 10_000_000 }
    expect(ranges(Array(64).fill(1_000_000), Array(64).fill(1000), rows)).toHaveLength(16)
  })

  test('into four parts of its only row group, since each part fetches all of it, or into as many as it must', () => {
    const wide = { chunkRows: 10_000_000, chunkBytes: 4096 * MiB }
    expect(ranges([1000], [1024 * MiB], wide)).toEqual([
      [0, 250],
      [250, 500],
      [500, 750],
      [750, 1000],
    ])
    expect(ranges([16_000])).toHaveLength(4)
    expect(ranges([20_000])).toHaveLength(5)
  })

  test('into one chunk for each row group, when these are large and many', () => {
    const wide = { chunkRows: 10_000_000, chunkBytes: 4096 * MiB }
    expect(ranges(Array(20).fill(1000), Array(20).fill(1024 * MiB), wide)).toHaveLength(20)
  })

  test('so that every row is in exactly one chunk, within the bounds, whatever the row groups', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 30 }), (groups) => {
        const cut = ranges(groups)
        const total = groups.reduce((sum, rows) => sum + rows, 0)
        expect(cut[0]?.[0]).toBe(0)
        expect(cut.at(-1)?.[1]).toBe(total)
        for (const [at, range] of cut.entries()) {
          // of a row group that is above the bounds, a part may be too
          const parted = groups.some((rows) => rows > bounds.chunkRows && rows >= range[1] - range[0])
          expect(range[1] - range[0]).toBeLessThanOrEqual(bounds.chunkRows * (parted ? 4 : 1))
          if (at > 0) expect(range[0]).toBe(cut[at - 1]?.[1] ?? -1)
        }
      }),
      { seed: 7 },
    )
  })
})

test('a file with too many rows is refused by its footer', () => {
  const plan = () =>
    planFile(shape([600, 600]), {
      keys: true,
      sha256: null,
      bounds: { ...bounds, fileRows: 1000 },
    })
  expect(plan).toThrow(BulkError)
  expect(plan).toThrow('found 1200 rows, expected at most 1000')
})

function shape(rows: number[], bytes: number[] = []): FileShape {
  return {
    columns: [{ name: 'id', type: 'BIGINT' }],
    rowGroups: rows.map((count, at) => ({ rows: count, bytes: bytes[at] ?? count })),
    rows: rows.reduce((sum, count) => sum + count, 0),
  }
}

function ranges(rows: number[], bytes: number[] = [], other: Partial<Bounds> = {}): [number, number][] {
  return cutChunks(shape(rows, bytes), { sha256: null, bounds: { ...bounds, ...other }, keys: true })
    .filter((chunk) => chunk.kind === 'rows')
    .map((chunk) => [chunk.rowStart, chunk.rowEnd])
}
