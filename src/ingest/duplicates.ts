import { type Figura, loadOf, type Mode, rejectsOf } from '../figura/types.ts'

/** What decides how rows with one key are found. */
type Load = { figura: Figura; mode: Mode; parquet: boolean; files: number }

/**
 * Rows with one key are found in the stage, by their positions, where one of them counts or some are left out before,
 * and where DuckDB cannot look at the keys alone: that costs a sort of the stage.
 */
export function dedupesInStage({ figura, mode, parquet, files }: Load): boolean {
  if (!hasKey(figura, mode)) return false
  return loadOf(figura).duplicates !== 'refuse' || leavesOut(figura) || !parquet || files > 1
}

/** The keys of a single parquet file are looked at while its rows are staged. */
export function checksKeys(load: Load): boolean {
  return hasKey(load.figura, load.mode) && !dedupesInStage(load)
}

/** Whether a file is loaded though some of its rows break a rule. */
export function leavesOut(figura: Figura): boolean {
  const { maxRows, maxPercent } = rejectsOf(figura)
  return (maxRows ?? 1) > 0 && (maxPercent ?? 1) > 0
}

function hasKey(figura: Figura, mode: Mode): boolean {
  return figura.key.length > 0 && mode !== 'append'
}
