import { describe, expect, test } from 'bun:test'
import { cutPieces, type Wanted } from '../../src/ingest/pieces.ts'
import type { FileShape, Places } from '../../src/ingest/shape.ts'

/** Row groups of 100 rows, each with three columns of 10, 20 and 70 bytes one after the other. */
const GROUPS = 6
const shape: FileShape = {
  columns: ['a', 'b', 'c'].map((name) => ({ name, type: 'BIGINT' })),
  rowGroups: Array.from({ length: GROUPS }, () => ({ rows: 100, bytes: 100 })),
  rows: GROUPS * 100,
}
const places: Places = {
  starts: Array.from({ length: GROUPS }, (_, group) => [0, 10, 30].map((at) => 4 + group * 100 + at)).flat(),
  ends: Array.from({ length: GROUPS }, (_, group) => [10, 30, 100].map((at) => 4 + group * 100 + at)).flat(),
}

describe('pieces of a chunk', () => {
  test('are whole row groups, joined up to the bound, and their bytes follow one another', () => {
    expect(cut({ rowStart: 0, rowEnd: 500, columns: ['a', 'b', 'c'] }, 200)).toEqual([
      {
        rowStart: 0,
        rowEnd: 200,
        ranges: [
          [4, 104],
          [104, 204],
        ],
        bytes: 200,
      },
      {
        rowStart: 200,
        rowEnd: 400,
        ranges: [
          [204, 304],
          [304, 404],
        ],
        bytes: 200,
      },
      { rowStart: 400, rowEnd: 500, ranges: [[404, 504]], bytes: 100 },
    ])
  })

  test('are of one row group at least, however large', () => {
    expect(
      cut({ rowStart: 0, rowEnd: 200, columns: ['a', 'b', 'c'] }, 1).map(({ rowEnd }) => rowEnd),
    ).toEqual([100, 200])
  })

  test('have the bytes of their columns alone', () => {
    expect(cut({ rowStart: 100, rowEnd: 200, columns: ['c', 'a'] }, 1000)).toEqual([
      {
        rowStart: 100,
        rowEnd: 200,
        ranges: [
          [104, 114],
          [134, 204],
        ],
        bytes: 80,
      },
    ])
  })

  test('of rows within a row group have all of its bytes', () => {
    expect(cut({ rowStart: 150, rowEnd: 160, columns: ['a', 'b', 'c'] }, 1000)).toEqual([
      { rowStart: 150, rowEnd: 160, ranges: [[104, 204]], bytes: 100 },
    ])
  })

  test('are none when there are no rows', () => {
    expect(cut({ rowStart: 0, rowEnd: 0, columns: ['a'] }, 1000)).toEqual([])
  })

  test('end where the file ends, whatever the footer says', () => {
    expect(cut({ rowStart: 500, rowEnd: 600, columns: ['c'] }, 1000, 550)[0]?.ranges).toEqual([[534, 550]])
    expect(cut({ rowStart: 500, rowEnd: 600, columns: ['c'] }, 1000, 500)[0]?.ranges).toEqual([])
  })
})

function cut(wanted: Wanted, pieceBytes: number, fileBytes = 10_000) {
  return cutPieces({ shape, places, fileBytes }, wanted, pieceBytes).map(({ ranges, ...piece }) => ({
    ...piece,
    ranges: ranges.map(({ start, end }) => [start, end]),
  }))
}
