import type { TSchema } from '@sinclair/typebox'
import type { ValidationError } from 'elysia'
import { BulkError } from '../errors.ts'
import { nearest } from '../figura/nearest.ts'

type WrongField = { field: string; found: string; expected: string }

/**
 * A request that does not fit its schema, as an error that names every wrong field, what it holds and what it
 * should.
 */
export function invalidRequest(error: ValidationError): BulkError {
  return invalid(error.type === 'query' ? 'query_invalid' : 'body_invalid', wrongFields(error))
}

/** The error of wrong fields that somebody has found; at least one. */
export function invalid(code: 'query_invalid' | 'body_invalid', errors: WrongField[]): BulkError {
  const inQuery = code === 'query_invalid'
  const [first, ...more] = errors
  const listed = (part: 'found' | 'expected') =>
    errors.map((wrong) => `${wrong.field}: ${wrong[part]}`).join('; ')
  const said =
    first && !more.length
      ? {
          subject: `${inQuery ? 'The parameter' : 'The field'} ${first.field}`,
          found: first.found,
          expected: first.expected,
        }
      : { subject: inQuery ? 'The query' : 'The body', found: listed('found'), expected: listed('expected') }
  return new BulkError(code, said, { errors })
}

/**
 * The body, which has to be an object. A schema whose fields may all be absent lets a null through, and looks into the
 * letters of a text.
 * @throws BulkError body_invalid
 */
export function requireObject(body: unknown, expected: string): object {
  const wrong = (found: string) => invalid('body_invalid', [{ field: ALL, found, expected }])
  if (isNested(body, DEPTH_MAX)) throw wrong(`parts that are nested more than ${DEPTH_MAX} deep`)
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
  throw wrong(described(body, false))
}

/** No field is nested deeper than a list. Elysia writes what does not fit by recursion: 30,000 "[" were a 500. */
const DEPTH_MAX = 16

function isNested(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((part) => isNested(part, levels - 1))
}

const ALL = '(all of it)'

/** The fields that do not fit, each once, in the order of the schema's complaints. */
function wrongFields(error: ValidationError): WrongField[] {
  const fields = new Map<string, WrongField>()
  for (const complaint of error.all) {
    if (!('path' in complaint) || typeof complaint.path !== 'string' || !('value' in complaint)) continue
    const field = complaint.path.slice(1).replaceAll('/', '.') || ALL
    fields.set(field, wrongField(error, field, complaint.path, complaint.value))
  }
  return [...fields.values()]
}

function wrongField(error: ValidationError, field: string, path: string, value: unknown): WrongField {
  const schema: TSchema = 'Schema' in error.validator ? error.validator.Schema() : {}
  const known: Record<string, TSchema> = schema.properties ?? {}
  const found = described(value, error.type === 'query')
  if (path === '') return { field, found, expected: schema['x-expected'] ?? 'an object' }
  // of a list the field is told, and which of its parts is wrong
  const [name = ''] = path.slice(1).split('/')
  const own = Object.hasOwn(known, name) ? known[name] : undefined
  if (own) return { field, found, expected: own['x-expected'] ?? own.description ?? 'another value' }
  const meant = nearest(name.toLowerCase(), Object.keys(known))
  const names = Object.keys(known).join(', ')
  return {
    field,
    found: 'an unknown field',
    expected: meant ? `${meant} (known are ${names})` : `one of ${names}`,
  }
}

/** A value in a few words. Texts of a body are not repeated, since an address may hold a secret. */
function described(value: unknown, shown: boolean): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') {
    if (shown) return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    return value === '' ? 'an empty text' : `a text of ${value.length} characters`
  }
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
