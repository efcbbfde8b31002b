import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BulkError } from '../../src/errors.ts'
import { cutRows, planFiles, type PlannedFile, type PlanOptions } from '../../src/ingest/plan.ts'
import { loadOf } from '../../src/figura/types.ts'
import { type FileShape, UNKNOWN_ROWS } from '../../src/ingest/shape.ts'
import { type Bounds, readConfig } from '../../src/config.ts'
import { smallFigura } from '../support/figuras.ts'

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
    expect(kinds([planned()])).toEqual(['keys', 'rows'])
    expect(kinds([planned()], { sha256: 'ab' })).toEqual(['keys', 'digest', 'rows'])
  })

  test('without a look at the keys where PostgreSQL tells rows apart, or where they may be there twice', () => {
    expect(kinds([planned({ format: 'csv' })])).toEqual(['rows'])
    expect(kinds([planned(), planned({ no: 1 })])).toEqual(['rows', 'rows'])
    expect(kinds([planned()], { mode: 'append' })).toEqual(['rows'])
    const load = { ...loadOf(smallFigura()), duplicates: 'last' as const }
    expect(kinds([planned()], { figura: { ...smallFigura(), load } })).toEqual(['rows'])
    expect(kinds([planned()], { figura: { ...smallFigura(), key: [] } })).toEqual(['rows'])
  })

  test('into one chunk when it is no parquet', () => {
    expect(cutRows({ columns: [], rowGroups: [], rows: UNKNOWN_ROWS }, bounds)).toEqual([
      { rowStart: 0, rowEnd: UNKNOWN_ROWS },
    ])
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

test('files with too many rows are refused before they are read', () => {
  const plan = (files: PlannedFile[], figura = smallFigura()) =>
    planFiles(files, { figura, mode: 'merge', sha256: null, bounds: { ...bounds, fileRows: 1000 } })
  const many = planned({ shape: shape([600, 600]) })
  expect(() => plan([many])).toThrow(BulkError)
  expect(() => plan([many])).toThrow('found 1200 rows, expected at most 1000 (FILE_MAX_ROWS)')
  const half = shape([600])
  expect(() => plan([planned({ shape: half }), planned({ no: 1, shape: half })])).toThrow('found 1200 rows')
  const limited = { ...smallFigura(), limits: { maxRows: 500 } }
  expect(() => plan([planned({ shape: half })], limited)).toThrow('at most 500 (limits of the figura)')
})

test('files of a job must have the same columns', () => {
  const columns = planned().columns.slice(0, 1)
  expect(() => kinds([planned(), planned({ no: 1, columns })])).toThrow(
    'column(s) that only some of them have',
  )
})

function kinds(files: PlannedFile[], options: Partial<PlanOptions> = {}): string[] {
  const given = { figura: smallFigura(), mode: 'merge' as const, sha256: null, bounds }
  return planFiles(files, { ...given, ...options }).map((chunk) => chunk.kind)
}

/** A file with the columns of the small figura. */
function planned(other: Partial<PlannedFile> = {}): PlannedFile {
  const columns = smallFigura().columns.map((column) => ({
    column,
    sources: [column.from],
    expression: column.from,
  }))
  return { no: 0, format: 'parquet', shape: shape([5]), columns, ...other }
}

function shape(rows: number[], bytes: number[] = []): FileShape {
  return {
    columns: [{ name: 'id', type: 'BIGINT' }],
    rowGroups: rows.map((count, at) => ({ rows: count, bytes: bytes[at] ?? count })),
    rows: rows.reduce((sum, count) => sum + count, 0),
  }
}

function ranges(rows: number[], bytes: number[] = [], other: Partial<Bounds> = {}): [number, number][] {
  return cutRows(shape(rows, bytes), { ...bounds, ...other }).map(({ rowStart, rowEnd }) => [
    rowStart,
    rowEnd,
  ])
}
