export type Spread = { min: number; median: number; max: number }

/** A further condition of a row, beside its ratio. */
export type Check = { name: string; value: number; unit: string; target: number; met: boolean }

/** What a row, or a part of one, came to. Figures in `unit`. */
export type Figures = {
  name: string
  unit: string
  ours: Spread | null
  reference: Spread | null
  /** Median of ours to median of the reference. */
  ratio: number | null
  target: number | null
  /** True where more is better: the ratio has to be `target` or more. */
  atLeast: boolean
  /** Null where nothing was measured. */
  met: boolean | null
}

/** A row of the table, as --json writes it. */
export type Row = { id: number } & Figures & {
    checks: Check[]
    /** What took the time: shares of the CPU, WAL. */
    limit: string
    /** Further lines about it. */
    notes: string[]
    /** The same row for several kinds of data, or of requests; the row itself shows the worst of them. */
    parts: (Figures & { limit: string })[]
    /** What the reference is, how much data it was. */
    details: Record<string, unknown>
    /** Where the table is not as the file: what differs first. */
    difference: string | null
    skipped: string | null
    /** True when an error kept it from being measured; `skipped` says which. */
    failed: boolean
  }

/** Least, middle and greatest of some figures. @throws Error when there are none */
export function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (min === undefined || max === undefined) throw new Error('found no figures to take the median of')
  return { min, median: quantile(sorted, 0.5), max }
}

/** The value below which `share` of the figures lie, between two of them where need be. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN]
  return low + (high - low) * (at - Math.floor(at))
}

/** The figures of a row from what was measured: ratio of the medians, and whether the target is met. */
export function figures(
  { name, unit, target, atLeast = false }: { name: string; unit: string; target: number; atLeast?: boolean },
  measured: { ours: number[]; reference: number[] },
): Figures {
  const ours = spread(measured.ours)
  const reference = spread(measured.reference)
  const ratio = ours.median / reference.median
  return { name, unit, ours, reference, ratio, target, atLeast, met: meets(ratio, { target, atLeast }) }
}

/** Whether a figure keeps to its target. */
export function meets(value: number, { target, atLeast }: { target: number; atLeast: boolean }): boolean {
  return atLeast ? value >= target : value <= target
}

/** A condition that holds when `value` is `target` at the most. */
export function check(name: string, value: number, target: number, unit: string): Check {
  return { name, value, unit, target, met: meets(value, { target, atLeast: false }) }
}

/** A whole row; it is met when its ratio, all checks and all parts are, and the table is as the file. */
export function row(id: number, own: Figures, more: Partial<Omit<Row, 'id' | keyof Figures>> = {}): Row {
  const full: Row = {
    id,
    ...own,
    checks: [],
    limit: '',
    notes: [],
    parts: [],
    details: {},
    difference: null,
    skipped: null,
    failed: false,
    ...more,
  }
  const all = [own.met, ...full.checks.map((one) => one.met), ...full.parts.map((one) => one.met)]
  const known = all.filter((one) => one !== null)
  const met = known.length === 0 ? null : known.every(Boolean)
  return { ...full, met: full.difference === null ? met : false }
}

/** A row of which nothing could be measured here, and why. */
export function skippedRow(id: number, name: string, why: string): Row {
  const none = { unit: '', ours: null, reference: null, ratio: null, target: null, atLeast: false, met: null }
  return row(id, { name, ...none }, { skipped: why })
}

/** The part that is furthest from its target. */
export function worst<F extends Figures>(parts: F[]): F {
  const [first, ...others] = parts
  if (!first) throw new Error('found no parts')
  const strain = ({ ratio, target, atLeast }: Figures) =>
    atLeast ? (target ?? 1) / (ratio ?? 1) : (ratio ?? 1) / (target ?? 1)
  return others.reduce((found, one) => (strain(one) > strain(found) ? one : found), first)
}
