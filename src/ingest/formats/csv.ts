import type { Csv } from '../../figura/types.ts'
import { badHeader, badRow, largeRow, RECORD_BYTES } from './fault.ts'
import { createSink, type Segment, type Sink } from './sink.ts'

const LF = 10
const CR = 13

/** What stands before the next byte: the start of a field, a field without quotes, one within, its end, or a \r. */
const START = 0
const PLAIN = 1
const QUOTED = 2
const CLOSED = 3
const RETURN = 4

type Dialect = { delimiter: number; quote: number }

/** The bytes that separate; -1: there are no quotes. Both are single characters of ASCII. */
function dialectOf({ delimiter, quote }: Csv): Dialect {
  return { delimiter: delimiter.charCodeAt(0), quote: quote === '' ? -1 : quote.charCodeAt(0) }
}

/**
 * Follows a CSV file byte by byte (RFC 4180), and copies its records into a sink: without the \r before a \n outside
 * of quotes, and without empty lines. What could be read in two ways is refused, so that
 * DuckDB, which reads the copy, finds the same records.
 */
function createScanner({ delimiter, quote }: Dialect, sink: Sink) {
  let state = START
  let separators = 0
  let fields = 0
  const fault = (found: string, expected: string) =>
    fields === 0 ? badHeader(found, expected) : badRow(sink.rows() + 1, found, expected)

  /** Ends a record; false: it was an empty line. */
  function endRecord(): boolean {
    const empty = sink.used === sink.start && separators === 0
    state = START
    if (empty) return false
    if (fields > 0 && separators + 1 !== fields)
      throw fault(`${separators + 1} field(s)`, `${fields}, as the header has`)
    separators = 0
    sink.reserve(1)
    sink.bytes[sink.used++] = LF
    sink.end()
    return true
  }
  /** Takes bytes until they end, the sink is full, or the header stands in it. Gives where it stopped. */
  function scan(input: Uint8Array, from: number): number {
    sink.reserve(input.length - from + 1)
    const { bytes: out } = sink
    let { used } = sink
    for (let at = from; at < input.length; at++) {
      const byte = input[at]!
      if (state === QUOTED) {
        out[used++] = byte
        if (byte === quote) state = CLOSED
        continue
      }
      if (byte === LF) {
        sink.used = used
        const ended = endRecord()
        if (ended && (fields === 0 || sink.full())) return at + 1
        used = sink.used
        continue
      }
      if (state === RETURN)
        throw fault('a carriage return within a line', 'it in quotes, or lines that end in \\n')
      if (byte === CR) {
        state = RETURN
        continue
      }
      out[used++] = byte
      if (byte === delimiter) {
        separators++
        state = START
      } else if (byte === quote) {
        if (state === PLAIN)
          throw fault('a quote within a field that does not begin with one', 'the field in quotes')
        state = QUOTED
      } else {
        if (state === CLOSED) throw fault('text after a closing quote', 'a separator or the end of the line')
        state = PLAIN
      }
    }
    sink.used = used
    if (sink.used - sink.start > RECORD_BYTES) throw largeRow(sink.rows() + 1)
    return input.length
  }
  function finish(): void {
    if (state === QUOTED) throw fault('a quote that is never closed', 'a closing quote')
    if (sink.used > sink.start || separators > 0) endRecord()
  }
  return { scan, finish, expect: (count: number) => void (fields = count) }
}

/** The names in a header. */
function namesOf(header: Uint8Array, { delimiter, quote }: Dialect): string[] {
  const text = new TextDecoder().decode(header.subarray(0, -1))
  const names: string[] = []
  const separator = String.fromCharCode(delimiter)
  const mark = quote < 0 ? undefined : String.fromCharCode(quote)
  let at = 0
  while (at <= text.length) {
    if (mark !== undefined && text[at] === mark) {
      let end = at + 1
      while (text[end] !== mark || text[end + 1] === mark) end += text[end] === mark ? 2 : 1
      names.push(text.slice(at + 1, end).replaceAll(mark + mark, mark))
      at = end + 2
      continue
    }
    const end = text.indexOf(separator, at)
    names.push(text.slice(at, end < 0 ? text.length : end).trim())
    if (end < 0) break
    at = end + 1
  }
  return names
}

/** What of a CSV file comes: its header first, then its records. */
export type CsvPart = { names: string[] } | { segment: Segment }

/**
 * Reads a CSV file, of which the first line names the columns.
 * @throws BulkError `file_corrupt` with the number of the row, `file_too_large`
 */
export async function* readCsv(
  bytes: AsyncIterable<Uint8Array>,
  csv: Csv,
): AsyncGenerator<CsvPart, void, void> {
  const dialect = dialectOf(csv)
  const header = createSink()
  const head = createScanner(dialect, header)
  const sink = createSink()
  const scanner = createScanner(dialect, sink)
  let named = false
  const takeHeader = (): CsvPart | undefined => {
    const line = header.take()
    if (!line) return undefined
    named = true
    const names = namesOf(line.bytes, dialect)
    scanner.expect(names.length)
    return { names }
  }
  for await (const input of bytes) {
    let at = 0
    if (!named) {
      at = head.scan(input, 0)
      const part = takeHeader()
      if (!part) continue
      yield part
    }
    while (at < input.length) {
      at = scanner.scan(input, at)
      const segment = sink.full() ? sink.take() : undefined
      if (segment) yield { segment }
    }
  }
  if (!named) {
    head.finish()
    const part = takeHeader()
    if (part) yield part
    return
  }
  scanner.finish()
  const segment = sink.take()
  if (segment) yield { segment }
}
