/** The least and the greatest key of a row group, as the footer states them; null where it does not. */
export type KeyStats = { rows: number; least: bigint | null; greatest: bigint | null }

/** Rows from `rowStart` to `rowEnd`, exclusive. */
export type Run = { rowStart: number; rowEnd: number }

/**
 * Cuts a file into runs of row groups of at most `rowsMax` rows, none of which has a key in common with another: all
 * of a run's keys are below those of the next, or above them, as in files that were written in the order of the key.
 * Where the statistics do not show that, or are missing, a run has more rows; without any it is the whole file.
 */
export function cutRuns(groups: KeyStats[], rowsMax: number): Run[] {
  const runs: Run[] = []
  let rowStart = 0
  let rowEnd = 0
  for (const { rows } of segmentsOf(groups.filter((group) => group.rows > 0))) {
    if (rowEnd > rowStart && rowEnd + rows - rowStart > rowsMax) {
      runs.push({ rowStart, rowEnd })
      rowStart = rowEnd
    }
    rowEnd += rows
  }
  return rowEnd > rowStart ? [...runs, { rowStart, rowEnd }] : runs
}

/** Joins neighbours until none of them shares a key with another. */
function segmentsOf(groups: KeyStats[]): { rows: number }[] {
  const whole = [{ rows: groups.reduce((sum, { rows }) => sum + rows, 0) }]
  const known = groups.flatMap(({ rows, least, greatest }) =>
    least !== null && greatest !== null && least <= greatest ? [{ rows, least, greatest }] : [],
  )
  if (known.length < groups.length) return whole
  const rising = ascending(known)
  const falling = ascending(known.toReversed()).toReversed()
  return rising.length >= falling.length ? rising : falling
}

function ascending(groups: { rows: number; least: bigint; greatest: bigint }[]): { rows: number }[] {
  const segments: { rows: number; least: bigint; greatest: bigint }[] = []
  for (const group of groups) {
    let { rows, least, greatest } = group
    for (let last = segments.at(-1); last && last.greatest >= least; last = segments.at(-1)) {
      rows += last.rows
      least = last.least < least ? last.least : least
      greatest = last.greatest > greatest ? last.greatest : greatest
      segments.pop()
    }
    segments.push({ rows, least, greatest })
  }
  return segments
}
