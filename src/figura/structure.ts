import type { TSchema } from '@sinclair/typebox'
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { Value } from '@sinclair/typebox/value'
import { described, type Fault, quoted } from './fault.ts'
import { nearest } from './nearest.ts'
import { FiguraFile } from './schema.ts'
import type { YamlText } from './yaml.ts'

/**
 * Where a YAML text departs from the schema of figura files: unknown and missing keys, values of another
 * kind.
 */
export function structureFaults(yaml: YamlText): Fault[] {
  const faults: Fault[] = []
  const seen = new Set<string>()
  for (const error of [...Value.Errors(FiguraFile, yaml.value)].flatMap(closest)) {
    // the first error of a place says it best: what is missing is also reported as being no string
    if (seen.has(error.path)) continue
    seen.add(error.path)
    const path = pathOf(error.path)
    faults.push({ ...yaml.place(path), ...saidOf(error, path) })
  }
  return faults
}

/** Of alternatives, the errors of the one that was meant: the list for a list, the mapping for a mapping. */
function closest(error: ValueError): ValueError[] {
  if (error.type !== ValueErrorType.Union) return [error]
  const { value, schema, errors } = error
  const kind = Array.isArray(value)
    ? 'array'
    : value !== null && typeof value === 'object'
      ? 'object'
      : typeof value
  const alternatives: { type?: string; const?: unknown }[] = schema.anyOf
  const meant = alternatives.findIndex((one) => one.type === kind && one.const === undefined)
  const inner = [...(errors[meant] ?? [])].flatMap(closest)
  return inner.length ? inner : [error]
}

function saidOf(error: ValueError, path: string[]): { found: string; expected: string; hint?: string } {
  const name = path.at(-1) ?? ''
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return {
      found: `no "${name}" in ${path.length > 1 ? quoted(path.at(-2) ?? '') : 'the file'}`,
      expected: exampleOf(error),
    }
  }
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const known = Object.keys(error.schema.properties ?? {})
    return { found: `the key ${quoted(name)}`, expected: known.join(', '), hint: nearest(name, known) }
  }
  const words = error.type === ValueErrorType.Union ? wordsOf(error) : []
  // of signs, as of the decimal of csv, each is as near as the other
  const hint =
    typeof error.value === 'string' && error.value.length > 1 ? nearest(error.value, words) : undefined
  return { found: described(error.value), expected: expectedOf(error), hint }
}

/** What a schema asks for, in words. */
function expectedOf({ type, schema, value, message }: ValueError): string {
  switch (type) {
    case ValueErrorType.String:
      // null: NULL and pattern: 123 are no texts to YAML
      return value !== null && typeof value === 'object' ? 'a text' : 'a text, in quotes'
    case ValueErrorType.StringMinLength:
      return 'a text that is not empty'
    case ValueErrorType.StringMaxLength:
      return `at most ${schema.maxLength} characters`
    case ValueErrorType.Boolean:
      return 'true or false'
    case ValueErrorType.Array:
      return 'a list'
    case ValueErrorType.ArrayUniqueItems:
      return 'each entry once'
    case ValueErrorType.ArrayMinItems:
    case ValueErrorType.ObjectMinProperties:
      return 'at least one entry'
    case ValueErrorType.ArrayMaxItems:
    case ValueErrorType.ObjectMaxProperties:
      return `at most ${schema.maxItems ?? schema.maxProperties} entries`
    case ValueErrorType.Object:
      return schema.examples ? `a mapping such as ${JSON.stringify(schema.examples[0])}` : 'a mapping'
    case ValueErrorType.Literal:
      return quoted(String(schema.const))
    case ValueErrorType.Union:
      return alternativesOf(schema)
    default:
      return numberWords(type, schema) ?? message
  }
}

function numberWords(type: ValueErrorType, schema: TSchema): string | undefined {
  switch (type) {
    case ValueErrorType.Integer:
      return 'a whole number'
    case ValueErrorType.Number:
      return 'a number'
    case ValueErrorType.IntegerMinimum:
    case ValueErrorType.NumberMinimum:
      return `at least ${schema.minimum}`
    case ValueErrorType.IntegerMaximum:
    case ValueErrorType.NumberMaximum:
      return `at most ${schema.maximum}`
    default:
      return undefined
  }
}

/** Every kind of value that a schema of alternatives admits. */
function alternativesOf({ anyOf }: TSchema): string {
  const names = (anyOf as TSchema[]).map((one) => {
    if (one.const !== undefined) return quoted(String(one.const))
    if (one.type === 'object') return `a mapping such as ${JSON.stringify(one.examples?.[0])}`
    return (
      { string: 'a text', number: 'a number', boolean: 'true or false', array: 'a list' }[String(one.type)] ??
      ''
    )
  })
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names.join()
}

/** The words among the alternatives. */
function wordsOf({ schema }: ValueError): string[] {
  return (schema.anyOf as TSchema[]).flatMap(({ const: word }) => (typeof word === 'string' ? [word] : []))
}

function exampleOf({ schema }: ValueError): string {
  const example: unknown = schema.examples?.[0]
  if (example === undefined) return 'one'
  return `one, such as ${typeof example === 'string' ? example : JSON.stringify(example)}`
}

/** The parts of a JSON pointer. */
function pathOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}
