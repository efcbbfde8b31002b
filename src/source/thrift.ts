/** What the footer of a parquet file becomes in memory, about, and how deep its columns are nested. */
export type Weight = { bytes: number; depth: number }

/** Bytes that an item of a list takes in DuckDB 1.5, as measured with a million of each. */
const BYTES = { root: 0, group: 100, chunk: 770, node: 450, meta: 100, struct: 100, other: 100 }

/** Of a list of texts or numbers. */
const VALUE_BYTES = 40

type Kind = keyof typeof BYTES

/** The structs of the format that matter, and those that stand in their fields, by the numbers of these. */
const FIELDS: Partial<Record<Kind, Partial<Record<number, Kind>>>> = {
  root: { 2: 'node', 4: 'group', 5: 'struct', 7: 'struct' },
  group: { 1: 'chunk', 4: 'struct' },
  chunk: { 3: 'meta' },
  meta: { 8: 'struct', 13: 'struct' },
}

/** The field of a node that says how many others are below it. */
const CHILDREN = 5

/** Values within values: the format has about ten. */
const NESTED = 32

/**
 * Weighs a footer (thrift's compact protocol) before anybody builds something of it: who reads it makes room for as
 * many things as a list claims, before the first is read. 60 bytes that claimed 10,000,000 nodes took more than 2 GB,
 * and 10,000 nodes each within the other ended the process.
 * @returns undefined when it is no such thing: it claims more than it has
 */
export function weighFooter(bytes: Uint8Array): Weight | undefined {
  const { byte, varint, skip } = readFrom(bytes)
  let weight = 0
  let nested = 0
  const depth = followDepth()

  function struct(kind: Kind): void {
    let field = 0
    let children = 0
    for (let head = byte(); head !== 0; head = byte()) {
      const type = head & 15
      field = head >> 4 ? field + (head >> 4) : varint() / 2
      if (kind === 'node' && field === CHILDREN && type === I32) children = Math.floor(varint() / 2)
      else if (type > BOOLEAN) value(type, FIELDS[kind]?.[field] ?? 'other')
    }
    if (kind === 'node') depth.add(children)
  }
  function value(type: number, kind: Kind): void {
    if (type <= 3) return skip(1)
    if (type <= 6) return void varint()
    if (type === 7) return skip(8)
    if (type === 8) return skip(varint())
    if (type === 13) return skip(16)
    if (++nested > NESTED) throw new RangeError('values that are nested too deep')
    if (type === STRUCT) struct(kind)
    else if (type === 9 || type === 10) list(kind)
    else if (type === 11) map()
    else throw new RangeError(`a value of type ${type}`)
    nested--
  }
  function list(kind: Kind): void {
    const head = byte()
    const type = head & 15
    const count = head >> 4 === 15 ? varint() : head >> 4
    // room for structs is made whatever the list says that it has
    if (kind !== 'other' && count > 0 && type !== STRUCT) throw new RangeError('a list of other things')
    weight += count * (type === STRUCT ? BYTES[kind] : VALUE_BYTES)
    for (let no = 0; no < count; no++) value(type, kind)
  }
  function map(): void {
    const count = varint()
    const types = count > 0 ? byte() : 0
    weight += count * BYTES.struct
    for (let no = 0; no < count; no++) for (const type of [types >> 4, types & 15]) value(type, 'other')
  }

  try {
    struct('root')
    return { bytes: weight, depth: depth.deepest() }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Types of the protocol; of a boolean field the type is the value. */
const BOOLEAN = 2
const I32 = 5
const STRUCT = 12

/** Takes bytes one after the other. They throw RangeError at the end. */
function readFrom(bytes: Uint8Array) {
  let at = 0
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
  return { byte, varint, skip }
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
