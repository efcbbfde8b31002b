import { coalesce } from '../source/intervals.ts'
import type { Range } from '../source/source.ts'
import type { FileShape, Places } from './shape.ts'

/** Rows of a file, counted from 0, end exclusive; and its columns by their names in the file. */
export type Wanted = { rowStart: number; rowEnd: number; columns: string[] }

/** Rows that are fetched together, and the bytes that hold them; `bytes` is the sum. */
export type Piece = { rowStart: number; rowEnd: number; ranges: Range[]; bytes: number }

/**
 * Cuts rows into pieces of whole row groups of at most `pieceBytes` as they stand in the file: one is fetched while
 * another is read. A row group is never divided, for the footer does not say where in it a row stands.
 * Pure: the places come from the footer, and what lies outside of the file is left out.
 */
export function cutPieces(
  { shape, places, fileBytes }: { shape: FileShape; places: Places; fileBytes: number },
  { rowStart, rowEnd, columns }: Wanted,
  pieceBytes: number,
): Piece[] {
  const at = columns.map((name) => shape.columns.findIndex((column) => column.name === name))
  const pieces: Piece[] = []
  let groupStart = 0
  for (const [group, { rows }] of shape.rowGroups.entries()) {
    const from = Math.max(rowStart, groupStart)
    const to = Math.min(rowEnd, groupStart + rows)
    groupStart += rows
    if (from >= to) continue
    const ranges = rangesOf(
      places,
      at.map((column) => group * shape.columns.length + column),
      fileBytes,
    )
    const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0)
    const last = pieces.at(-1)
    if (last && last.bytes + bytes <= pieceBytes) {
      last.rowEnd = to
      last.bytes += bytes
      last.ranges.push(...ranges)
    } else pieces.push({ rowStart: from, rowEnd: to, ranges, bytes })
  }
  return pieces
}

function rangesOf({ starts, ends }: Places, at: number[], fileBytes: number): Range[] {
  const ranges = at.map((place) => ({
    start: starts[place] ?? -1,
    end: Math.min(ends[place] ?? 0, fileBytes),
  }))
  return coalesce(
    ranges.filter(({ start }) => start >= 0),
    1,
  )
}
