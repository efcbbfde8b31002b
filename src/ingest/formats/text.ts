import type { Sink } from './sink.ts'

/** How segments are written that are not the file's own text. */
export const OWN_CSV = { delimiter: ',', quote: '"', nullText: '' }

/**
 * A line of CSV. A null is an empty field, and a value always in quotes: an empty text is no null. The first field is
 * always there, so that no line is empty.
 */
export function csvLine(values: (string | null)[]): string {
  let line = '0'
  for (const value of values)
    line += value === null ? ',' : `,"${value.includes('"') ? value.replaceAll('"', '""') : value}"`
  return `${line}\n`
}

const encoder = new TextEncoder()

/** Writes a text into a sink, as UTF-8. */
export function writeText(sink: Sink, text: string): void {
  // a unit of UTF-16 has three bytes at the most
  sink.reserve(text.length * 3)
  sink.used += encoder.encodeInto(text, sink.bytes.subarray(sink.used)).written
}
