import { type ObjectOptions, type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox'

/** A mapping that has these keys and no others. */
export function closed<P extends TProperties>(properties: P, options: ObjectOptions) {
  return Type.Object(properties, { ...options, additionalProperties: false })
}

/** A mapping from any names to one kind of value. */
export function mapping<S extends TSchema>(value: S, options: ObjectOptions) {
  return Type.Unsafe<Record<string, Static<S>>>(Type.Object({}, { ...options, additionalProperties: value }))
}

/** One of a few words. */
export function oneOf<W extends string>(words: readonly W[], options: ObjectOptions) {
  return Type.Unsafe<W>(
    Type.Union(
      words.map((word) => Type.Literal(word)),
      options,
    ),
  )
}

/** A name, or anything else that is empty by mistake alone. */
export function name(options: ObjectOptions = {}) {
  return Type.String({ ...options, minLength: 1 })
}

/** An expression of DuckDB's SQL. */
export function expression(options: ObjectOptions) {
  return Type.String({ ...options, minLength: 1, maxLength: 4000 })
}

/** A value that a column can have, as YAML writes it. */
export function literal(options: ObjectOptions = {}) {
  return Type.Union([Type.String(), Type.Number(), Type.Boolean()], options)
}
