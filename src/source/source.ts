import { parseAddress } from '../address.ts'
import type { Config, S3Config } from '../config.ts'
import { BulkError } from '../errors.ts'
import { publicUrl } from '../job.ts'
import type { Range, Transport } from './answer.ts'
import { checkAddress } from './check.ts'
import { webTransport } from './https.ts'
import { openFile } from './opening.ts'
import type { Resolve } from './network.ts'
import { PATIENCE, type Patience, patienceOf } from './patience.ts'
import { readRange, readWhole } from './reading.ts'
import { s3Transport } from './s3.ts'

export type { Range } from './answer.ts'

/**
 * A file somewhere, opened: its length is known, and every read is a read of the file that was opened, or
 * fails.
 */
export type SourceFile = {
  /** The address as it may be shown: no query, no credentials. */
  name: string
  /** Length in bytes. */
  bytes: number
  /**
   * What every later answer must have too, whatever node asks: the ETag (a strong one is sent as If-Match), or else the
   * time of the last change. Null: only the length can tell that the file changed.
   */
  etag: string | null
  /**
   * The last bytes of the file, from the first request; the whole file when it is small. Empty: not `ranged`,
   * and large.
   */
  tail: Uint8Array
  /** Where the tail begins. */
  tailStart: number
  /** False: the server has no ranges, and what is not in the tail comes by `stream()` alone. */
  ranged: boolean
  /** The bytes from `start` to `end` (exclusive), in order. What is in the tail is not fetched again. */
  read(start: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array>
  /** The whole file, in order. */
  stream(signal?: AbortSignal): AsyncIterable<Uint8Array>
}

export type OpenOptions = {
  s3: S3Config
  /**
   * In development: http:// and https:// to this machine are allowed, and to nothing else that is not public.
   */
  allowLoopback: boolean
  /** How much of the end to fetch with the first request. */
  tailBytes: number
  /** The ETag from when the file was first opened. */
  expectedEtag?: string | null
  signal?: AbortSignal
  /** Absent: the usual one. */
  patience?: Patience
  /** For tests, which have names of their own. */
  resolve?: Resolve
}

/** What is allowed when a source is opened, and how long it is waited for, as the administrator has set it. */
export function openOptions({
  s3,
  allowLoopback,
  bounds,
}: Pick<Config, 's3' | 'allowLoopback' | 'bounds'>): OpenOptions {
  return { s3, allowLoopback, tailBytes: bounds.tailBytes, patience: patienceOf(bounds) }
}

/**
 * Opens a file by one GET of its last bytes. Whether the figura allows the address is `checkSource`'s to say,
 * before.
 *
 * Errors are BulkErrors, here and from `read` and `stream`: `source_missing`, `source_denied`,
 * `source_changed` (412, another ETag or length), `source_refused` (a redirect, a host that is not public, no
 * length), and, to be tried again later, `source_unreachable` and `source_truncated`, after a few attempts
 * here. An abort throws the signal's reason.
 */
export async function openSource(url: string, options: OpenOptions): Promise<SourceFile> {
  const transport = transportFor(url, options)
  const { tailBytes, expectedEtag = null, signal, patience = PATIENCE } = options
  const file = await openFile({ transport, tailBytes, expectedEtag, patience, signal })
  const { bytes, tail, ranged } = file
  const tailStart = bytes - tail.length

  async function* read(start: number, end: number, within?: AbortSignal): AsyncGenerator<Uint8Array> {
    if (!(start >= 0 && start <= end && end <= bytes))
      throw new RangeError(`bytes ${start} to ${end} of ${bytes}`)
    if (!ranged && start < Math.min(end, tailStart))
      throw new Error('A file without ranges is read by stream()')
    yield* remoteThenTail({ start, end }, within)
  }
  async function* remoteThenTail(
    { start, end }: Range,
    within: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    if (start < tailStart) yield* readRange(file, { start, end: Math.min(end, tailStart) }, within)
    if (end > tailStart) yield tail.subarray(Math.max(0, start - tailStart), end - tailStart)
  }
  const stream = (within?: AbortSignal) =>
    ranged || tailStart === 0 ? remoteThenTail({ start: 0, end: bytes }, within) : readWhole(file, within)
  return { name: transport.name, bytes, etag: file.etag, tail, tailStart, ranged, read, stream }
}

function transportFor(
  url: string,
  { s3, allowLoopback, patience = PATIENCE, resolve }: OpenOptions,
): Transport {
  const address = parseAddress(url)
  const name = publicUrl(url)
  if ('found' in address) throw new BulkError('source_refused', { subject: name, ...address })
  checkAddress(name, address, allowLoopback)
  return address.scheme === 's3'
    ? s3Transport(address, { s3, name, patience })
    : webTransport(address, { name, patience, resolve })
}
