import type { Range } from './answer.ts'
import { createLocalFile, type Held, type LocalFile } from './ranged.ts'
import type { SourceFile } from './source.ts'

/** Pieces of a file, one after the other, each in a local file of its own. */
export type Ahead = AsyncDisposable & {
  /** Resolves when the first piece stands. */
  ready(): Promise<void>
  /** Deletes the piece before, and answers the path of the next when it stands; undefined after the last. */
  next(): Promise<string | undefined>
}

/**
 * Fetches a piece while the one before it is in use, and no more: at any time two of them take disk. The first is
 * asked for at once. Errors are those of `LocalFile.fill`, thrown by `next` when their piece's turn comes.
 * @param held what every piece needs, such as the footer: written into each local file, never fetched
 * @param path of a piece's local file; the place must be free
 */
export function fetchAhead(
  { file, held, pieces }: { file: SourceFile; held: Held; pieces: readonly Range[][] },
  { path, signal }: { path: (piece: number) => string; signal: AbortSignal },
): Ahead {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  let begun = 0
  let current: LocalFile | undefined
  let coming = begin()

  function begin(): Promise<LocalFile> | undefined {
    const ranges = pieces[begun]
    if (!ranges) return undefined
    const fetched = fetchPiece({ file, held, path: path(begun) }, ranges, either)
    fetched.catch(() => {}) // it may fail before its turn comes
    begun++
    return fetched
  }
  async function next(): Promise<string | undefined> {
    await current?.dispose()
    current = await coming
    coming = begin()
    return current?.path
  }
  async function dispose(): Promise<void> {
    stop.abort(new Error('The rest of the file is not needed'))
    await current?.dispose()
    const left = await coming?.catch(() => undefined)
    await left?.dispose()
  }
  return { ready: async () => void (await coming), next, [Symbol.asyncDispose]: dispose }
}

async function fetchPiece(
  target: { file: SourceFile; held: Held; path: string },
  ranges: Range[],
  signal: AbortSignal,
): Promise<LocalFile> {
  const local = await createLocalFile(target)
  try {
    // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- a file is filled, not an array
    await local.fill(ranges, signal)
    return local
  } catch (error) {
    await local.dispose()
    throw error
  }
}
