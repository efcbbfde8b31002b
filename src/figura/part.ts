import type { Fault } from './fault.ts'
import type { YamlText } from './yaml.ts'

/** Tells what is wrong at a path. */
export type Say = (path: string[], found: string, expected: string, hint?: string) => void

/** A mapping of a figura file as it is read; all paths begin at it. */
export type Part = {
  /** What it holds; empty when it is no mapping, which is the schema's to tell. */
  values: Record<string, unknown>
  say: Say
  /** The keys of the mapping at a path, in the order of the text. */
  names(path: string[]): string[]
  /** How the text writes the plain value at a path. */
  source(path: string[]): string | undefined
}

/** The whole file as a part; what is wrong is added to `faults`. */
export function wholeOf(yaml: YamlText, faults: Fault[]): Part {
  return {
    values: mappingOf(yaml.value),
    say: (path, found, expected, hint) => {
      faults.push({ ...yaml.place(path), found, expected, hint })
    },
    names: yaml.names,
    source: yaml.source,
  }
}

/** The part that a part has under a name. */
export function within(part: Part, name: string): Part {
  return {
    values: mappingOf(part.values[name]),
    say: (path, found, expected, hint) => {
      part.say([name, ...path], found, expected, hint)
    },
    names: (path) => part.names([name, ...path]),
    source: (path) => part.source([name, ...path]),
  }
}

/** The texts of a list. What is neither is the schema's to tell. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** A text, if it is one. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A number, if it is one. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

/** The value, if it is one of these words. */
export function wordOf<W extends string>(value: unknown, words: readonly W[]): W | undefined {
  return words.find((word) => word === value)
}

/** The same without what is undefined: a contract that is kept as JSON is equal to the one that was read. */
export function given<T extends object>(parts: T): T {
  for (const name of Object.keys(parts) as (keyof T)[]) if (parts[name] === undefined) delete parts[name]
  return parts
}

function mappingOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}
