import { Type, types } from 'avsc'
import { AvroFault, type Cursor } from './avro-cursor.ts'
import { binary, decimal, LOGICAL, packedUuid, PRIMITIVES, type Reader, symbol } from './avro-scalars.ts'

/** The fields of the records of a file. */
export type AvroFields = { name: string; reader: Reader }[]

/** A logical type, of which only its attributes are kept: avsc reads the schema, and the values are read here. */
class Logical extends types.LogicalType {
  readonly attributes: Record<string, unknown>
  constructor(schema: ConstructorParameters<typeof types.LogicalType>[0], options?: unknown) {
    super(schema, options)
    this.attributes = Object.fromEntries(Object.entries(schema))
  }
}

const LOGICAL_NAMES = [
  ...new Set([...Object.keys(LOGICAL).map((name) => name.split(' ')[0] ?? ''), 'decimal']),
]
const LOGICAL_TYPES = Object.fromEntries(LOGICAL_NAMES.map((name) => [name, Logical]))

/**
 * Reads a schema of avro.
 * @throws Error of avsc, or AvroFault, when there is no such schema
 */
export function readSchema(text: string): AvroFields {
  const type = Type.forSchema(JSON.parse(text), { logicalTypes: LOGICAL_TYPES, wrapUnions: 'always' })
  const known = new Map<Type, Reader>()
  if (!isRecord(type)) throw new AvroFault(`values of type ${type.typeName}, and no records`)
  return type.fields.map((field) => ({ name: field.name, reader: readerOf(field.type, known) }))
}

/** How a type is read. A record may hold itself, so readers are made once, and asked for when they are needed. */
function readerOf(type: Type, known: Map<Type, Reader>): Reader {
  const found = known.get(type)
  if (found) return found
  const reader: Reader = { ...PENDING }
  known.set(type, reader)
  return Object.assign(reader, createReader(type, known))
}

/** What stands for a type while it is looked at, and whose values are JSON. */
const PENDING: Reader = {
  type: 'JSON',
  sql: (text) => `cast(${text} as JSON)`,
  text: () => null,
  json: () => 'null',
}

const NULL: Reader = { ...PENDING, type: 'VARCHAR', empty: true, sql: (text) => text }

function createReader(type: Type, known: Map<Type, Reader>): Reader {
  if (type instanceof Logical) return logicalReader(type, known)
  const primitive = PRIMITIVES[type.typeName]
  if (primitive) return primitive
  if (type.typeName === 'null') return NULL
  if (type instanceof types.EnumType) return symbol(type.symbols)
  if (type instanceof types.FixedType) return binary((cursor) => cursor.fixed(type.size))
  if (type instanceof types.WrappedUnionType)
    return unionReader(
      type.types.map((one) => readerOf(one, known)),
      type.types,
    )
  if (type instanceof types.ArrayType) return arrayReader(readerOf(type.itemsType, known))
  if (type instanceof types.MapType) return nested(mapJson(readerOf(type.valuesType as Type, known)))
  if (isRecord(type)) {
    const fields = type.fields.map((field) => ({
      name: JSON.stringify(field.name),
      reader: readerOf(field.type, known),
    }))
    return nested(
      (cursor) => `{${fields.map(({ name, reader }) => `${name}:${reader.json(cursor)}`).join(',')}}`,
    )
  }
  throw new AvroFault(`a type ${type.typeName} in its schema`)
}

function isRecord(type: Type): type is types.RecordType {
  return type instanceof types.RecordType
}

function logicalReader(type: Logical, known: Map<Type, Reader>): Reader {
  const below = type.underlyingType
  const name = String(type.attributes.logicalType)
  if (name === 'decimal') {
    const { precision, scale = 0 } = type.attributes
    if (isDigits(precision) && isDigits(scale) && precision > 0 && scale <= precision) {
      if (below instanceof types.FixedType)
        return decimal((cursor) => cursor.fixed(below.size), precision, scale)
      if (below.typeName === 'bytes') return decimal((cursor) => cursor.bytes(), precision, scale)
    }
  }
  if (name === 'uuid' && below instanceof types.FixedType && below.size === 16) return packedUuid()
  return LOGICAL[`${name} ${below.typeName}`] ?? readerOf(below, known)
}

function isDigits(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 1000
}

/** A type or null is that type, with nulls. Of other unions the value is JSON, whichever of the types it has. */
function unionReader(branches: Reader[], branchTypes: Type[]): Reader {
  const at = (cursor: Cursor): Reader => {
    const no = cursor.int()
    const branch = branches[no]
    if (!branch) throw new AvroFault(`branch ${no} of a union of ${branches.length}`)
    return branch
  }
  const values = branches.filter((_, no) => branchTypes[no]?.typeName !== 'null')
  const [only, other] = values
  if (!only) return { ...NULL, text: (cursor) => at(cursor).text(cursor) }
  const json = (cursor: Cursor) => at(cursor).json(cursor)
  if (!other) return { type: only.type, sql: only.sql, json, text: (cursor) => at(cursor).text(cursor) }
  const either = nested(json)
  const text = (cursor: Cursor) => {
    const value = either.json(cursor)
    return value === 'null' ? null : value
  }
  return { ...either, text }
}

function mapJson(values: Reader): (cursor: Cursor) => string {
  return (cursor) => {
    const entries: string[] = []
    for (let count = cursor.items(); count > 0; count = cursor.items())
      for (let no = 0; no < count; no++)
        entries.push(`${JSON.stringify(cursor.text())}:${values.json(cursor)}`)
    return `{${entries.join(',')}}`
  }
}

/** Types that DuckDB reads from JSON without loss: its own reader of JSON takes a decimal for a double. */
const LISTED = new Set(['BOOLEAN', 'INTEGER', 'BIGINT', 'FLOAT', 'DOUBLE', 'VARCHAR', 'UUID', 'DATE', 'TIME'])

function arrayReader(items: Reader): Reader {
  const json = (cursor: Cursor) => {
    const list: string[] = []
    for (let count = cursor.items(); count > 0; count = cursor.items())
      for (let no = 0; no < count; no++) {
        const { at } = cursor
        list.push(items.json(cursor))
        if (cursor.at === at) cursor.empty()
      }
    return `[${list.join(',')}]`
  }
  if (!LISTED.has(items.type) || items.empty) return nested(json)
  const type = `${items.type}[]`
  return { type, sql: (text) => `cast(cast(${text} as JSON) as ${type})`, text: json, json }
}

/** Values within values, as deep as a record may hold itself: deeper ones would end the thread's stack. */
const DEPTH = 500

function nested(json: (cursor: Cursor) => string): Reader {
  let depth = 0
  const deeper = (cursor: Cursor) => {
    if (depth >= DEPTH) throw new AvroFault(`values nested deeper than ${DEPTH}`)
    depth++
    try {
      return json(cursor)
    } finally {
      depth--
    }
  }
  return { type: 'JSON', sql: (text) => `cast(${text} as JSON)`, text: deeper, json: deeper }
}
