/** What the footer of a parquet file becomes in memory, about, and how deep its columns are nested. */
export type Weight = { bytes: number; depth: number }

/** Bytes in DuckDB 1.5 of one of them, as measured with a million; texts and numbers stand for themselves. */
const BYTES = { node: 450, group: 100, chunk: 770, struct: 100, text: 40, number: 8 }

/** Structs within structs: the format has eight. */
const STRUCTS = 32

type Kind = 'root' | 'node' | 'group' | 'chunk' | 'struct'

/** What a list has: by the struct that it is in, and the number of its field. */
function listed(kind: Kind, field: number): Kind {
  if (kind === 'root') return field === 2 ? 'node' : field === 4 ? 'group' : 'struct'
  return kind === 'group' && field === 1 ? 'chunk' : 'struct'
}

/** The field of a schema's node that says how many others are below it. */
const CHILDREN = 5

/**
 * Weighs a footer (thrift's compact protocol) before anybody builds something of it: who reads it makes room for as many
 * things as a list claims, before the first is read. 60 bytes that claimed 10,000,000 nodes took 4 GB, and 10,000 nodes
 * each within the other ended the process.
 * @returns undefined when it is no such thing: it claims more than it has
 */
export function weighFooter(bytes: Uint8Array): Weight | undefined {
  let at = 0
  let weight = 0
  let structs = 0
  const depth = followDepth()

  function byte(): number {
    const value = bytes[at++]
    if (value === undefined) throw new RangeError('the footer ends')
    return value
  }
  function varint(): number {
    let value = 0
    for (let factor = 1, no = 0; no < 10; no++, factor *= 128) {
      const next = byte()
      value += (next & 127) * factor
      if (next < 128) return value
    }
    throw new RangeError('a number of more than 64 bits')
  }
  function skip(count: number): void {
    at += count
    if (at > bytes.length) throw new RangeError('the footer ends')
  }
  function struct(kind: Kind): void {
    if (++structs > STRUCTS) throw new RangeError('structs that are nested too deep')
    let field = 0
    let children = 0
    for (let head = byte(); head !== 0; head = byte()) {
      const type = head & 15
      field = head >> 4 ? field + (head >> 4) : varint() / 2
      if (kind === 'node' && field === CHILDREN && type === 5) children = Math.floor(varint() / 2)
      else if (type > 2) value(type, listed(kind, field))
    }
    structs--
    if (kind === 'node') depth.add(children)
  }
  function value(type: number, kind: Kind): void {
    if (type <= 3) return skip(1)
    if (type <= 6) return void varint()
    if (type === 7) return skip(8)
    if (type === 13) return skip(16)
    if (type === 8) return skip(varint())
    if (type === 9 || type === 10) return list(kind)
    if (type === 11) return map()
    if (type === 12) return struct(kind)
    throw new RangeError(`a value of type ${type}`)
  }
  function list(kind: Kind): void {
    const head = byte()
    const count = head >> 4 === 15 ? varint() : head >> 4
    weight += count * sizeOf(head & 15, kind)
    for (let no = 0; no < count; no++) value(head & 15, kind)
  }
  function map(): void {
    const count = varint()
    if (count === 0) return
    const types = byte()
    weight += count * (sizeOf(types >> 4, 'struct') + sizeOf(types & 15, 'struct'))
    for (let no = 0; no < count; no++) {
      value(types >> 4, 'struct')
      value(types & 15, 'struct')
    }
  }

  try {
    struct('root')
    return { bytes: weight, depth: depth.deepest() }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function sizeOf(type: number, kind: Kind): number {
  if (type === 12) return kind === 'root' ? BYTES.struct : BYTES[kind]
  return type >= 8 && type <= 11 ? BYTES.text : BYTES.number
}

/** Follows the nodes of a tree, each of which comes before those below it. */
function followDepth() {
  const open: number[] = []
  let deepest = 0
  return {
    add: (children: number) => {
      while (open.at(-1) === 0) open.pop()
      if (open.length > 0) open.push(open.pop()! - 1)
      if (children > 0) open.push(children)
      deepest = Math.max(deepest, open.length)
    },
    deepest: () => deepest,
  }
}
