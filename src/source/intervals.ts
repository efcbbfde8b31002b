import type { Range } from './answer.ts'

/** The ranges in order, overlaps joined, and neighbours too when fewer than `gapBytes` lie between them. */
export function coalesce(ranges: readonly Range[], gapBytes: number): Range[] {
  const joined: Range[] = []
  for (const { start, end } of ranges
    .filter((one) => one.start < one.end)
    .toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1)
    if (last && start - last.end < gapBytes) last.end = Math.max(last.end, end)
    else joined.push({ start, end })
  }
  return joined
}

/** What of the ranges is not in `taken`. Both in order and without overlaps, as `coalesce` leaves them. */
export function subtract(ranges: readonly Range[], taken: readonly Range[]): Range[] {
  return ranges.flatMap((range) => {
    const left: Range[] = []
    let at = range.start
    for (const { start, end } of taken) {
      if (end <= at || start >= range.end) continue
      if (start > at) left.push({ start: at, end: start })
      at = Math.max(at, end)
    }
    if (at < range.end) left.push({ start: at, end: range.end })
    return left
  })
}

/** The range in parts of about equal length: one for each `partBytes` begun, at most `partsMax`. */
export function split({ start, end }: Range, partBytes: number, partsMax: number): Range[] {
  const parts = Math.max(1, Math.min(partsMax, Math.ceil((end - start) / partBytes)))
  const at = (part: number) => start + Math.floor(((end - start) * part) / parts)
  return Array.from({ length: parts }, (_, part) => ({ start: at(part), end: at(part + 1) }))
}
