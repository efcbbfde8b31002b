import { isUtf8 } from 'node:buffer'
import { badRow, largeRow, manyValues, RECORD_BYTES, RECORD_VALUES } from './fault.ts'
import { badEncoding, createSink, type Segment } from './sink.ts'
import { csvLine, writeText } from './text.ts'

/**
 * Reads an NDJSON file, one object a line; empty lines are passed. Of each row the values of some keys are taken, as
 * the JSON that stands there: a number keeps all its digits, which DuckDB's own reader would round to a double.
 * @param keys whose values the columns of the segments are
 * @param late whether no row may have a key: the columns of the file were decided without it
 * @throws BulkError `file_corrupt` with the number of the row, `file_too_large`
 */
export async function* readNdjson(
  bytes: AsyncIterable<Uint8Array>,
  { keys, late }: { keys: string[]; late: (key: string) => boolean },
): AsyncGenerator<Segment, void, void> {
  const sink = createSink()
  const at = new Map(keys.map((key, column) => [key, column]))
  for await (const line of linesOf(bytes, () => sink.rows() + 1)) {
    const row = sink.rows() + 1
    const values: (string | null)[] = keys.map(() => null)
    for (const [key, value] of pairsOf(line, row)) {
      const column = at.get(key)
      if (column !== undefined) values[column] = value === 'null' ? null : value
      else if (late(key)) throw lateKey(row, key)
    }
    writeText(sink, csvLine(values))
    sink.end()
    const segment = sink.full() ? sink.take() : undefined
    if (segment) yield segment
  }
  const segment = sink.take()
  if (segment) yield segment
}

/** The keys of the first rows: in the order in which they come, until so many bytes are read. */
export async function keysOf(
  bytes: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ keys: string[]; rows: number; whole: boolean }> {
  const keys = new Set<string>()
  let rows = 0
  let read = 0
  for await (const line of linesOf(bytes, () => rows + 1)) {
    if (read > maxBytes) return { keys: [...keys], rows, whole: false }
    rows++
    read += line.length
    for (const [key] of pairsOf(line, rows)) keys.add(key)
  }
  return { keys: [...keys], rows, whole: true }
}

async function* linesOf(
  bytes: AsyncIterable<Uint8Array>,
  row: () => number,
): AsyncGenerator<string, void, void> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  const line = (part: Uint8Array): string => {
    const whole = held.length
      ? Buffer.concat([...held, part])
      : Buffer.from(part.buffer, part.byteOffset, part.length)
    held = []
    heldBytes = 0
    if (!isUtf8(whole)) throw badEncoding(row())
    return whole.toString('utf8')
  }
  for await (const input of bytes) {
    let from = 0
    for (let end = input.indexOf(10); end >= 0; end = input.indexOf(10, from)) {
      const text = line(input.subarray(from, end))
      from = end + 1
      if (text.trim() !== '') yield text
    }
    // a copy: what is handed in may be written over
    held.push(input.slice(from))
    heldBytes += input.length - from
    if (heldBytes > RECORD_BYTES) throw largeRow(row())
  }
  const text = line(new Uint8Array())
  if (text.trim() !== '') yield text
}

/** JSON may say half a character, which no UTF-8 does; written anew, only such halves are still escaped. */
const SURROGATE = /\\ud[89a-f]/i
const HALF_PAIR = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

/** The keys of an object, and the JSON of their values. */
function pairsOf(line: string, row: number): [key: string, json: string][] {
  if (line.length > RECORD_VALUES && countValues(line) > RECORD_VALUES) throw manyValues(row)
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object') throw new SyntaxError('a value that is no object')
    if (SURROGATE.test(line) && HALF_PAIR.test(JSON.stringify(value)))
      throw new SyntaxError('half a character')
  } catch (error) {
    // in quotes a message repeats what stands there, and that may be of a column that is sensitive
    const said = (error as Error).message.replace(/:? ".*/s, '')
    throw badRow(row, `a line that is not JSON (${said})`, 'one JSON object on each line')
  }
  let at = skipBlanks(line, 0)
  if (line[at] !== '{') throw badRow(row, 'a line that is no object', 'one JSON object on each line')
  const pairs: [string, string][] = []
  at = skipBlanks(line, at + 1)
  while (line[at] === '"') {
    const keyEnd = stringEnd(line, at)
    const key = JSON.parse(line.slice(at, keyEnd)) as string
    at = skipBlanks(line, skipBlanks(line, keyEnd) + 1)
    const end = valueEnd(line, at)
    pairs.push([key, line.slice(at, end).trimEnd()])
    at = skipBlanks(line, end)
    if (line[at] === ',') at = skipBlanks(line, at + 1)
  }
  return pairs
}

/** The values of a line that may be no JSON at all: what separates or begins them, outside of texts. */
function countValues(line: string): number {
  let values = 1
  let text = false
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (text) {
      if (code === 92) at++
      else if (code === 34) text = false
    } else if (code === 34) text = true
    else if (code === 44 || code === 91 || code === 123) values++
  }
  return values
}

// the line is valid JSON by now: these only look for ends

function skipBlanks(line: string, from: number): number {
  let at = from
  while (line.charCodeAt(at) <= 32) at++
  return at
}

function stringEnd(line: string, from: number): number {
  let at = from + 1
  for (;;) {
    const quote = line.indexOf('"', at)
    let slashes = 0
    while (line[quote - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

/** Up to the comma or the brace that follows the value. */
function valueEnd(line: string, from: number): number {
  let depth = 0
  for (let at = from; ; at++) {
    switch (line.charCodeAt(at)) {
      case 34:
        at = stringEnd(line, at) - 1
        break
      case 91:
      case 123:
        depth++
        break
      case 93:
      case 125:
        if (depth-- === 0) return at
        break
      case 44:
        if (depth === 0) return at
    }
  }
}

function lateKey(row: number, key: string): Error {
  return badRow(
    row,
    `the key "${key}", which no row before has`,
    'it among the first rows, by which the columns of the file are known',
    `Write "${key}" in the first row too, as null if it has no value.`,
  )
}
