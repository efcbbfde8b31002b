import { isUtf8 } from 'node:buffer'
import { badRow } from './fault.ts'

/** Some records of a file, one after the other, as a CSV without a header; lines end in \n. */
export type Segment = {
  /** Valid until the next segment is asked for: the buffer is used again. */
  bytes: Uint8Array
  rows: number
  /** Bytes of the longest record. */
  longest: number
}

/** Collects records for a segment. */
export type Sink = {
  bytes: Uint8Array
  /** Bytes that stand in it, those of the unfinished record included. */
  used: number
  /** Where the unfinished record begins. */
  start: number
  /** Sees to it that so many bytes more fit. */
  reserve(bytes: number): void
  /** Ends a record. */
  end(): void
  rows(): number
  full(): boolean
  /** The records so far; they are no longer in the sink. Undefined: there are none. */
  take(): Segment | undefined
}

/** Bytes of a segment, but for its last record: what a thread has in memory at once, and on its disk twice. */
const SEGMENT_BYTES = 16 * 1024 * 1024

/**
 * Makes a sink. A record that is no UTF-8 is told by its number.
 * @throws BulkError `file_corrupt`, by take()
 */
export function createSink(): Sink {
  let ends: number[] = []
  let before = 0
  let rest: Uint8Array | undefined
  function reserve(bytes: number): void {
    if (rest) sink.bytes.set(rest)
    rest = undefined
    const needed = sink.used + bytes
    if (needed <= sink.bytes.length) return
    // by a quarter at the least: of one record of 64 MiB, each 16 kB made a copy of all before, for 89 s
    const { length } = sink.bytes
    const larger = new Uint8Array(Math.max(needed, Math.min(length * 2, SEGMENT_BYTES * 2), length * 1.25))
    larger.set(sink.bytes.subarray(0, sink.used))
    sink.bytes = larger
  }
  function end(): void {
    ends.push(sink.used)
    sink.start = sink.used
  }
  function take(): Segment | undefined {
    if (ends.length === 0) return undefined
    const bytes = sink.bytes.subarray(0, sink.start)
    if (!isUtf8(bytes)) throw notUtf8(bytes, ends, before)
    let longest = 0
    let from = 0
    for (const to of ends) {
      longest = Math.max(longest, to - from)
      from = to
    }
    const segment = { bytes, rows: ends.length, longest }
    // a buffer for each segment was 100 MB of them before the garbage collector came by
    rest = sink.bytes.slice(sink.start, sink.used)
    before += ends.length
    ends = []
    sink.used = rest.length
    sink.start = 0
    return segment
  }
  const sink: Sink = {
    bytes: new Uint8Array(FIRST_BYTES),
    used: 0,
    start: 0,
    reserve,
    end,
    rows: () => before + ends.length,
    full: () => sink.start >= SEGMENT_BYTES,
    take,
  }
  return sink
}

/** A sink grows as it is needed: most files are small. */
const FIRST_BYTES = 64 * 1024

function notUtf8(bytes: Uint8Array, ends: number[], before: number): Error {
  let from = 0
  for (const [at, to] of ends.entries()) {
    if (!isUtf8(bytes.subarray(from, to))) return badEncoding(before + at + 1)
    from = to
  }
  return badEncoding(before + 1)
}

/** The error of a row that is written in another encoding. */
export function badEncoding(row: number): Error {
  return badRow(row, 'bytes that are no UTF-8', 'text in UTF-8', 'Write the file in UTF-8.')
}
