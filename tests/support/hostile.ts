import { avroLong } from './avro.ts'

/** A number of thrift's compact protocol: 7 bits a byte, the lowest first. */
export function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let left = BigInt(value)
  for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  return Buffer.from([...bytes, Number(left)])
}

function zigzag(value: number | bigint): Buffer {
  return varint(BigInt(value) * 2n)
}

const I32 = 5
const I64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12

/** The head of a field that comes so many numbers after the one before. */
function field(delta: number, type: number): Buffer {
  return Buffer.from([(delta << 4) | type])
}

function list(type: number, size: number | bigint): Buffer {
  return Buffer.concat([Buffer.from([0xf0 | type]), varint(size)])
}

/** A node of a schema: with `children` a group, else a column of 64 bits. */
export function schemaNode(name: string, children?: number | bigint): Buffer {
  const named = [field(1, BINARY), varint(Buffer.byteLength(name)), Buffer.from(name)]
  if (children !== undefined) {
    const head = [field(3, I32), zigzag(1), ...named, field(1, I32), zigzag(children)]
    return Buffer.concat([...head, Buffer.from([0])])
  }
  return Buffer.concat([field(1, I32), zigzag(2), field(2, I32), zigzag(1), ...named, Buffer.from([0])])
}

/** The footer of a parquet file; each number is what the file claims, whatever it has. */
export function footer({
  nodes,
  claimed = nodes.length,
  rows = 0,
  groups = 0,
}: {
  nodes: Buffer[]
  claimed?: number | bigint
  rows?: number | bigint
  groups?: number | bigint
}): Buffer {
  return Buffer.concat([
    field(1, I32),
    zigzag(1),
    field(1, LIST),
    list(STRUCT, claimed),
    ...nodes,
    field(1, I64),
    zigzag(rows),
    field(1, LIST),
    list(STRUCT, groups),
    Buffer.from([0]),
  ])
}

/** A file that ends with a footer; `length`: what it says of the footer's length. */
export function parquetWith(bytes: Buffer, length = bytes.length): Buffer {
  const end = Buffer.alloc(4)
  end.writeUInt32LE(length)
  return Buffer.concat([Buffer.from('PAR1'), bytes, end, Buffer.from('PAR1')])
}

/** An avro file with this text in place of its schema, and no block. */
export function avroWith(schema: string): Buffer {
  const text = (value: string) => Buffer.concat([avroLong(Buffer.byteLength(value)), Buffer.from(value)])
  return Buffer.concat([
    Buffer.from('Obj\x01'),
    avroLong(1),
    text('avro.schema'),
    text(schema),
    avroLong(0),
    Buffer.alloc(16),
  ])
}
