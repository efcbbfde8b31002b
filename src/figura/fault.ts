/** Where something stands in a figura file; both count from 1. */
export type Place = { line: number; column: number }

/** One thing that is wrong in a figura file. `hint` is what was probably meant. */
export type Fault = Place & { found: string; expected: string; hint?: string }

/** An error in a figura file, as people and programs read it. */
export type FiguraError = {
  file: string
  line: number
  column?: number
  found: string
  expected: string
  /** All of it in one sentence. */
  message: string
}

/** A fault with the name of its file, and in one sentence. */
export function figuraError(file: string, { line, column, found, expected, hint }: Fault): FiguraError {
  const meant = hint === undefined ? '' : ` (did you mean "${hint}"?)`
  return {
    file,
    line,
    column,
    found,
    expected,
    message: `${file}:${line}: found ${found}, expected ${expected}${meant}`,
  }
}

/** A value of a YAML file in a few words. */
export function described(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length ? 'a list' : 'an empty list'
  if (typeof value === 'object') return Object.keys(value).length ? 'a mapping' : 'an empty mapping'
  return typeof value === 'string' ? quoted(value) : String(value)
}

/** A text in quotes, on one line, and not much longer than it helps. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
