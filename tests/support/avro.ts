import { type Schema, Type, types } from 'avsc'
import { compress } from 'snappyjs'
import { crc32, deflateRawSync, zstdCompressSync } from 'node:zlib'

// oxlint-disable-next-line no-underscore-dangle -- that is what avsc calls it
const BIG = types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || typeof value === 'number',
  compare: (a: bigint, b: bigint) => Number(a > b) - Number(a < b),
})

/** avsc's own type of a schema, to encode with; a long may be a bigint. */
export function avroType(schema: Schema): Type {
  const typeHook = (one: Schema) =>
    one === 'long' || (typeof one === 'object' && 'type' in one && one.type === 'long') ? BIG : undefined
  return Type.forSchema(schema, { typeHook, wrapUnions: 'always' })
}

export const CODECS: Record<string, (bytes: Buffer) => Uint8Array> = {
  null: (bytes) => bytes,
  deflate: (bytes) => deflateRawSync(bytes),
  zstandard: (bytes) => zstdCompressSync(bytes),
  snappy: (bytes) => {
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(bytes))
    return Buffer.concat([compress(bytes), sum])
  },
}

const SYNC = Buffer.from('0123456789abcdef')

/** A number as avro writes it. */
export function avroLong(value: number): Buffer {
  return avroType('long').toBuffer(value)
}

/** A file of blocks that are given as they are: rows, and bytes before they are packed. */
export function avroFile(
  schema: unknown,
  blocks: { rows: number; bytes: Buffer }[],
  {
    codec = 'null',
    pack = CODECS[codec] ?? CODECS.null!,
  }: { codec?: string; pack?: (bytes: Buffer) => Uint8Array } = {},
): Buffer {
  const text = (value: string) => Buffer.concat([avroLong(Buffer.byteLength(value)), Buffer.from(value)])
  const parts = [Buffer.from('Obj\x01'), avroLong(2)]
  parts.push(
    text('avro.schema'),
    text(JSON.stringify(schema)),
    text('avro.codec'),
    text(codec),
    avroLong(0),
    SYNC,
  )
  for (const { rows, bytes } of blocks) {
    const packed = pack(bytes)
    parts.push(avroLong(rows), avroLong(packed.length), Buffer.from(packed), SYNC)
  }
  return Buffer.concat(parts)
}

/** Rows that avsc encodes, in blocks of so many. */
export function avroRows(schema: unknown, rows: unknown[], each = 1000): { rows: number; bytes: Buffer }[] {
  const type = avroType(schema as Schema)
  const blocks = []
  for (let at = 0; at < rows.length; at += each) {
    const some = rows.slice(at, at + each)
    blocks.push({ rows: some.length, bytes: Buffer.concat(some.map((row) => type.toBuffer(row))) })
  }
  return blocks
}
