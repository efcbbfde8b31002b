import { crc32, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { BulkError } from '../../errors.ts'
import { AvroFault, readAvro } from './avro-cursor.ts'
import { unpackSnappy } from './snappy.ts'

/** Bytes that are taken from a stream by their number. */
export type Taker = {
  /** How many were taken. */
  at(): number
  /** Whether there are no more. */
  end(): Promise<boolean>
  /** @throws AvroFault when the stream ends before */
  take(bytes: number): Promise<Uint8Array>
  long(): Promise<number>
  /** Lets the rest of the stream go. */
  close(): Promise<void>
}

/** Takes bytes from a stream whose first is number `start` of the file. */
export function takeFrom(source: AsyncIterable<Uint8Array>, start = 0): Taker {
  const parts = source[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array()
  let at = start
  async function more(): Promise<boolean> {
    const next = await parts.next()
    if (next.done) return false
    held = held.length ? Buffer.concat([held, next.value]) : next.value
    return true
  }
  async function take(bytes: number): Promise<Uint8Array> {
    if (bytes > held.length) await gather(bytes)
    const taken = held.subarray(0, bytes)
    held = held.subarray(bytes)
    at += bytes
    return taken
  }
  /** All at once: joining part by part would copy a large block hundreds of times. */
  async function gather(bytes: number): Promise<void> {
    const list = [held]
    let got = held.length
    while (got < bytes) {
      const next = await parts.next()
      if (next.done) throw new AvroFault(`an end after ${at + got} bytes, in the middle of a block`)
      list.push(next.value)
      got += next.value.length
    }
    held = Buffer.concat(list)
  }
  async function end(): Promise<boolean> {
    while (held.length === 0) if (!(await more())) return true
    return false
  }
  async function long(): Promise<number> {
    let bytes = 1
    for (;;) {
      if (bytes > held.length) await gather(bytes)
      if (held[bytes - 1]! < 128 || bytes > 10) break
      bytes++
    }
    const value = readAvro(await take(bytes)).long()
    if (typeof value === 'bigint') throw new AvroFault(`a length of ${value}`)
    return value
  }
  const close = async () => void (await parts.return?.())
  return { at: () => at, end, take, long, close }
}

/** What stands at the beginning of a file. */
export type AvroHeader = { schema: string; codec: string; sync: Uint8Array; bytes: number }

/**
 * Bytes of a header: 10,000 fields have about 700 kB. A schema of 2 MB that names 300,000 types took 0.7 GB before it
 * was found to be wrong.
 */
const HEADER_BYTES = 2 * 1024 * 1024

/** Reads the header of an object container file. */
export async function readHeader(taker: Taker): Promise<AvroHeader> {
  const magic = await taker.take(4)
  if (Buffer.from(magic).toString('latin1') !== 'Obj\x01') throw new AvroFault('another beginning than Obj 1')
  const meta = new Map<string, Buffer>()
  const field = async () => {
    const length = await taker.long()
    if (length < 0) throw new AvroFault(`a header with a part of ${length} bytes`)
    if (length + taker.at() > HEADER_BYTES) throw headerTooLarge(length)
    return Buffer.from(await taker.take(length))
  }
  for (let count = await taker.long(); count !== 0; count = await taker.long()) {
    if (count < 0) await taker.long()
    for (let no = 0; no < Math.abs(count); no++) meta.set((await field()).toString('utf8'), await field())
  }
  const sync = new Uint8Array(await taker.take(16))
  const schema = meta.get('avro.schema')?.toString('utf8')
  if (schema === undefined) throw new AvroFault('no schema in its header')
  return { schema, codec: meta.get('avro.codec')?.toString('utf8') ?? 'null', sync, bytes: taker.at() }
}

/** A block as it stands in the file; `at`: where it begins. */
export type AvroBlock = { at: number; rows: number; packed: Uint8Array }

/** Bytes of a block, packed and unpacked. Writers make blocks of 16 kB to a few MB. */
const BLOCK_BYTES = 128 * 1024 * 1024

/** The blocks from where the taker is to where the file ends, or to the first that begins at `end` or after. */
export async function* readBlocks(
  taker: Taker,
  sync: Uint8Array,
  end = Infinity,
): AsyncGenerator<AvroBlock, void, void> {
  while (taker.at() < end && !(await taker.end())) {
    const at = taker.at()
    const rows = await taker.long()
    const bytes = await taker.long()
    if (rows < 0 || bytes < 0) throw new AvroFault(`a block of ${rows} rows and ${bytes} bytes at byte ${at}`)
    if (bytes > BLOCK_BYTES) throw tooLarge(at, `${bytes} bytes`)
    const packed = await taker.take(bytes)
    if (Buffer.compare(await taker.take(16), sync) !== 0)
      throw new AvroFault(`a block at byte ${at} that does not end with the marker of the file`)
    yield { at, rows, packed }
  }
}

/**
 * Unpacks a block.
 * @throws AvroFault when it is damaged; BulkError when it is too large, or packed in a way that is not known
 */
export function unpackBlock(codec: string, { at, packed }: AvroBlock): Uint8Array {
  const options = { maxOutputLength: BLOCK_BYTES }
  try {
    switch (codec) {
      case 'null':
        return packed
      case 'deflate':
        return inflateRawSync(packed, options)
      case 'zstandard':
        return zstdDecompressSync(packed, options)
      case 'snappy':
        return unpackChecked(packed, at)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(at, `more than ${BLOCK_BYTES} bytes when it is unpacked`)
    if (error instanceof AvroFault) throw error
    throw new AvroFault(`a block at byte ${at} that cannot be unpacked (${(error as Error).message})`)
  }
  throw new BulkError('file_not_known', {
    subject: 'The avro file',
    found: `blocks packed with ${codec.slice(0, 40)}`,
    expected: 'null, deflate, snappy or zstandard',
    action: 'Write the file with one of these codecs.',
  })
}

/** A block of snappy is followed by the CRC-32 of what is in it. */
function unpackChecked(packed: Uint8Array, at: number): Uint8Array {
  const end = packed.length - 4
  const unpacked = end < 0 ? undefined : unpackSnappy(packed.subarray(0, end), BLOCK_BYTES)
  if (!unpacked) throw new AvroFault(`a block at byte ${at} that cannot be unpacked`)
  const expected = new DataView(packed.buffer, packed.byteOffset).getUint32(end)
  if (crc32(unpacked) !== expected)
    throw new AvroFault(`a block at byte ${at} with another checksum than it says`)
  return unpacked
}

function headerTooLarge(bytes: number): BulkError {
  return new BulkError('file_too_large', {
    subject: 'The header of the avro file',
    found: `a part of ${bytes} bytes`,
    expected: `at most ${HEADER_BYTES} in all`,
    action: 'Write the file with fewer fields, or without their descriptions.',
  })
}

function tooLarge(at: number, found: string): BulkError {
  return new BulkError('file_too_large', {
    subject: `The block at byte ${at} of the file`,
    found,
    expected: `at most ${BLOCK_BYTES}`,
    action: 'Write the file with smaller blocks.',
  })
}
