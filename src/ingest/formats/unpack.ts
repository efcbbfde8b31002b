import { pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { BulkError } from '../../errors.ts'
import { followZstd } from './zstd-frames.ts'

/** How a file is packed as a whole. */
export type Packing = 'gzip' | 'zstd' | null

/**
 * Unpacks a file as it comes; several archives one after the other are one file. A byte order mark is left out.
 * @param subject the name of the file, for errors
 * @throws BulkError `file_corrupt` when it breaks off or is damaged, `file_too_large` when it has more than `maxBytes`
 */
export async function* unpack(
  source: AsyncIterable<Uint8Array>,
  { packing, subject, maxBytes }: { packing: Packing; subject: string; maxBytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0
  for await (const part of withoutMark(packing === null ? source : inflate(source, packing, subject))) {
    bytes += part.length
    if (bytes > maxBytes) {
      throw new BulkError('file_too_large', {
        subject,
        found: `more than ${maxBytes} bytes when it is unpacked`,
        expected: 'at most that (FILE_EXPANDED_MAX_GB)',
      })
    }
    yield part
  }
}

async function* inflate(
  source: AsyncIterable<Uint8Array>,
  packing: 'gzip' | 'zstd',
  subject: string,
): AsyncGenerator<Uint8Array, void, void> {
  // what the source says counts, whatever the streams between make of it
  let failure: unknown
  async function* watched(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* packing === 'zstd' ? wholeFrames(source, subject) : source
    } catch (error) {
      failure = error
      throw error
    }
  }
  const input = Readable.from(watched(), { objectMode: false })
  const unpacked = packing === 'gzip' ? createGunzip() : createZstdDecompress()
  pipeline(input, unpacked, (error) => {
    failure ??= error
  })
  try {
    for await (const part of unpacked) yield part as Uint8Array
    if (failure) throw failure
  } catch (error) {
    const first = failure ?? error
    throw isZlib(first) ? damaged(subject, packing, first) : first
  } finally {
    unpacked.destroy()
    input.destroy()
  }
}

async function* wholeFrames(
  source: AsyncIterable<Uint8Array>,
  subject: string,
): AsyncGenerator<Uint8Array, void, void> {
  const frames = followZstd()
  for await (const part of source) {
    if (!frames.follow(part)) throw damaged(subject, 'zstd', new Error('something else follows a frame'))
    yield part
  }
  if (!frames.between()) throw damaged(subject, 'zstd', new Error('it ends within a frame'))
}

function isZlib(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code))
}

function damaged(subject: string, packing: string, error: Error): BulkError {
  return new BulkError(
    'file_corrupt',
    {
      subject,
      found: `that it cannot be unpacked (${error.message})`,
      expected: `a whole ${packing} archive`,
    },
    {},
    { cause: error },
  )
}

const MARK = [0xef, 0xbb, 0xbf]

async function* withoutMark(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let head: Uint8Array | undefined = new Uint8Array()
  for await (const part of source) {
    if (head === undefined) {
      yield part
      continue
    }
    head = Buffer.concat([head, part])
    if (head.length < MARK.length) continue
    yield hasMark(head) ? head.subarray(MARK.length) : head
    head = undefined
  }
  if (head?.length) yield head
}

function hasMark(bytes: Uint8Array): boolean {
  return MARK.every((byte, at) => bytes[at] === byte)
}

/** The first bytes of a stream; the rest is not asked for. */
export async function headOf(source: AsyncIterable<Uint8Array>, bytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let got = 0
  for await (const part of source) {
    parts.push(part)
    got += part.length
    if (got >= bytes) break
  }
  return Buffer.concat(parts).subarray(0, bytes)
}
