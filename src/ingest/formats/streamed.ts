import { rm, writeFile } from 'node:fs/promises'
import { BulkError } from '../../errors.ts'
import type { Pieces } from '../file.ts'
import type { Wanted } from '../pieces.ts'
import type { LocalRows } from '../sql-duckdb.ts'
import { segmentRelation } from '../sql-formats.ts'
import type { Part, Stream } from './stream.ts'

type Local = LocalRows & { path: string }

/** Where the segments go, the rows that there may be, and which part of the file is read. */
type StreamTo = {
  path: (segment: number) => string
  maxRows: number
  part: Part | undefined
  signal: AbortSignal
}

/**
 * The rows of a stream, segment by segment, each in a local file. The next is written while one is read, and no more:
 * two of them take disk at any time.
 * @param path of a segment's local file; the place must be free
 */
export function streamPieces(
  stream: Stream,
  wanted: Wanted,
  { path, maxRows, part, signal }: StreamTo,
): Pieces {
  const stop = new AbortController()
  const { segments, columns, ...written } = stream.read(
    wanted.columns,
    AbortSignal.any([signal, stop.signal]),
    part,
  )
  let no = 0
  let rows = part?.rowStart ?? 0
  let current: Local | undefined
  let coming = begin()

  async function write(): Promise<Local | undefined> {
    while (rows < wanted.rowEnd) {
      const next = await segments.next()
      if (next.done) return undefined
      const rowStart = rows
      rows += next.value.rows
      if (rows > maxRows) throw tooManyRows(maxRows)
      if (rows <= wanted.rowStart) continue
      const local = path(no++)
      await writeFile(local, next.value.bytes, { mode: 0o600, flag: 'wx' })
      const { longest } = next.value
      return {
        path: local,
        relation: segmentRelation({ path: local, longest, rowStart, ...written }, columns),
        rowStart: Math.max(rowStart, wanted.rowStart),
        rowEnd: Math.min(rows, wanted.rowEnd),
      }
    }
    return undefined
  }
  function begin(): Promise<Local | undefined> {
    const writing = write()
    writing.catch(() => {}) // it may fail before its turn comes
    return writing
  }
  async function drop(local: Local | undefined): Promise<void> {
    if (local) await rm(local.path, { force: true })
  }
  async function* each(): ReturnType<Pieces['each']> {
    for (;;) {
      await drop(current)
      current = await coming
      if (!current) return
      coming = begin()
      yield current
    }
  }
  async function dispose(): Promise<void> {
    stop.abort(new Error('The rest of the file is not needed'))
    await drop(current)
    await drop(await coming.catch(() => undefined))
    await segments.return()
  }
  return { ready: async () => void (await coming), each, [Symbol.asyncDispose]: dispose }
}

function tooManyRows(maxRows: number): BulkError {
  return new BulkError('file_too_large', {
    subject: 'The file',
    found: `more than ${maxRows} rows`,
    expected: 'at most that (limits of the figura, FILE_MAX_ROWS)',
  })
}
