import { type FileHandle, open, rm } from 'node:fs/promises'
import type { Range } from './answer.ts'
import { coalesce, split, subtract } from './intervals.ts'
import type { SourceFile } from './source.ts'

/**
 * A local file as long as the source, in which only what was asked for stands; the rest are holes, which take
 * no disk and read as zeros. A reader that knows what it needs (a parquet reader, told the row groups) sees
 * the file as complete.
 */
export type LocalFile = {
  path: string
  bytes: number
  /**
   * Sees to it that these bytes stand in the file. What stands there already is not fetched again; of a
   * source without ranges, the first call downloads all. Calls wait for one another. After an error the call
   * may simply be made again.
   */
  fill(ranges: readonly Range[], signal?: AbortSignal): Promise<void>
  /** The bytes of a small range, fetched if need be. */
  take(range: Range, signal?: AbortSignal): Promise<Uint8Array>
  /** Ends what is still being fetched and deletes the file. */
  dispose(): Promise<void>
}

/** Bytes of the file that are at hand. */
export type Held = { start: number; bytes: Uint8Array }

/**
 * Creates the file at `path`, which must not exist, with what is `held` in it: the tail of the source, if nothing
 * else is said. Memory: at most 4 requests at once with a buffer of 1 MiB each. Throws what `openSource` says of
 * `read`, and errors of the disk as they are.
 */
export async function createLocalFile({
  file,
  path,
  held = { start: file.tailStart, bytes: file.tail },
}: {
  file: SourceFile
  path: string
  held?: Held
}): Promise<LocalFile> {
  const handle = await open(path, 'wx+', 0o600)
  const disposed = new AbortController()
  let local: Range[] = [{ start: held.start, end: held.start + held.bytes.length }]
  let turn: Promise<void> = Promise.resolve()

  async function fillNow(ranges: readonly Range[], signal: AbortSignal): Promise<void> {
    const missing = subtract(coalesce(ranges, GAP_BYTES), local)
    if (missing.length === 0) return
    const parts = file.ranged
      ? missing.flatMap((range) => split(range, PART_BYTES, PARTS_MAX))
      : [{ start: 0, end: file.bytes }]
    await inParallel(parts, signal, async (part, within) => {
      const bytes = file.ranged ? file.read(part.start, part.end, within) : file.stream(within)
      await write(handle, bytes, part.start)
      local = coalesce([...local, part], 1)
    })
  }
  function fill(ranges: readonly Range[], signal?: AbortSignal): Promise<void> {
    const either = signal ? AbortSignal.any([signal, disposed.signal]) : disposed.signal
    const mine = turn.then(() => fillNow(ranges, either))
    turn = mine.catch(() => {})
    return mine
  }
  async function take(range: Range, signal?: AbortSignal): Promise<Uint8Array> {
    await fill([range], signal)
    return read(handle, range)
  }
  let removed: Promise<void> | undefined
  const dispose = () => (removed ??= remove())
  async function remove(): Promise<void> {
    disposed.abort(new Error('The local file was disposed of'))
    await turn
    // a reader may keep it open after it is deleted, and its blocks with it: DuckDB does until its result is collected
    await handle.truncate(0)
    await handle.close()
    await rm(path, { force: true })
  }

  try {
    await handle.truncate(file.bytes)
    await write(handle, [held.bytes], held.start)
    return { path, bytes: file.bytes, fill, take, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/**
 * A request costs about as long as 64 kB more do: 5 to 20 ms to a bucket, at 5 to 10 MB/s for one connection
 * at the worst.
 */
const GAP_BYTES = 64 * 1024

/**
 * One connection to S3 carries 50 to 100 MB/s; several carry as much as the network does. At 20 ms and 80 MB/s a row
 * group of 9 MB took 135 ms in one part, 63 ms in parts of 4 MiB, and 56 ms in parts of 1 MiB.
 */
const PART_BYTES = 4 * 1024 * 1024
const PARTS_MAX = 4

/** Chunks from a socket have 16 to 64 kB, and each write waits for a thread of the native pool. */
const WRITE_BYTES = 1024 * 1024

/**
 * Runs the work on each part, PARTS_MAX at once. The first error ends the others, and is thrown when they
 * have ended.
 */
async function inParallel(
  parts: Range[],
  signal: AbortSignal,
  work: (part: Range, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const waiting = parts.values()
  const errors: unknown[] = []
  const runner = async (): Promise<void> => {
    try {
      for (const part of waiting) await work(part, either)
    } catch (error) {
      errors.push(error)
      failed.abort(error)
    }
  }
  await Promise.all(Array.from({ length: PARTS_MAX }, runner))
  if (errors.length) throw errors[0]
}

/** Writes what comes, from `at` on. The next bytes are taken from the source when these are written. */
async function write(
  handle: FileHandle,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  at: number,
): Promise<void> {
  const buffer = new Uint8Array(WRITE_BYTES)
  let used = 0
  const flush = async (): Promise<void> => {
    for (let from = 0; from < used;)
      from += (await handle.write(buffer, from, used - from, at + from)).bytesWritten
    at += used
    used = 0
  }
  for await (const bytes of source) {
    for (let from = 0; from < bytes.length;) {
      const taken = bytes.subarray(from, from + WRITE_BYTES - used)
      buffer.set(taken, used)
      used += taken.length
      from += taken.length
      if (used === WRITE_BYTES) await flush()
    }
  }
  await flush()
}

async function read(handle: FileHandle, { start, end }: Range): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start)
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at)
    if (bytesRead === 0) throw new RangeError(`bytes ${start} to ${end} of a shorter file`)
    at += bytesRead
  }
  return bytes
}
