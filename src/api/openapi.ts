import { ERRORS, type ErrorCode } from '../errors.ts'
import type { Figuras, LoadedFigura } from '../figura/load.ts'
import { tableName } from '../figura/types.ts'
import { codesTable, exampleOf, jobExamples, problemExample } from './examples.ts'
import { exampleUrl } from './figuras.ts'
import { markdownTable } from './markdown.ts'
import { MORE, type More, type Need } from './operation.ts'
import { FILE_FORMATS } from './rejects-file.ts'
import { rowSchema } from './row-schema.ts'
import { ProblemDetails } from './schema-parts.ts'
import { Submission } from './schemas.ts'

type Json = Record<string, unknown>
type Parameter = Json & { name: string; schema: Json }
type Operation = Json & {
  operationId: string
  parameters?: Parameter[]
  description?: string
  responses?: Record<string, Json>
  [MORE]?: More
}

/** The document as the plugin makes it of the routes. */
export type RouteDocument = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Json }
}

/**
 * Adds to the document of the routes what Elysia cannot know: the figuras that are served now, the errors of
 * each address with an example of each, examples of jobs, and names for schemas.
 */
export function completeDocument(document: RouteDocument, figuras: Figuras): Json {
  const served = figuras.list().filter((loaded) => loaded.figura !== undefined)
  const schemas: Json = {}
  const paths = Object.fromEntries(
    Object.entries(document.paths).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(operations).map(([method, operation]) => [
          method,
          completeOperation(operation, served),
        ]),
      ),
    ]),
  )
  const named = nameSchemas(paths, schemas)
  nameSchemas(JSON.parse(JSON.stringify(ProblemDetails)), schemas)
  for (const { name, figura } of served) schemas[`Row_${name}`] = rowSchema(figura)
  const components = { ...document.components, schemas, securitySchemes: { [KEY]: KEY_SCHEME } }
  return { ...document, paths: named, components }
}

type Served = Extract<LoadedFigura, { hash: string }>

function completeOperation(operation: Operation, served: Served[]): Json {
  const { [MORE]: more = NOTHING_MORE, responses, ...rest } = operation
  const headers = { ...more.headers, ...(more.scope && RATE_HEADERS) }
  const id = rest.operationId
  const answers = Object.entries(responses ?? {}).map(([status, answer]) => {
    const told = id === 'readJob' ? withExamples(answer.content, jobExamples()) : answer.content
    const content = id === 'readRejects' ? { ...Object(told), ...fileContents() } : told
    return [status, { ...answer, headers: headerObjects(headers), content }]
  })
  const body = id === 'submitFile' ? { requestBody: submissionBody(served) } : {}
  const added: Record<string, string> = { submitFile: figurasTable(served), explainCode: codesTable() }
  return {
    ...rest,
    ...body,
    description: [rest.description, needText(more.scope), added[id]].filter(Boolean).join('\n\n'),
    security: more.scope ? [{ [KEY]: [] }] : [],
    parameters: parametersOf(rest.parameters, more, served),
    responses: {
      ...Object.fromEntries(answers),
      ...problemResponses([...more.errors, ...gateErrors(more.scope), 'internal']),
    },
  }
}

const NOTHING_MORE: More = { errors: [], takes: {}, headers: {}, scope: undefined }

function parametersOf(parameters: Parameter[] = [], { takes }: More, served: Served[]): Json[] | undefined {
  const headers = Object.entries(takes).map(([name, description]) => ({
    ...{ name, in: 'header', required: false, description },
    schema: { type: 'string' },
  }))
  const all = [...parameters.map((parameter) => completeParameter(parameter, served)), ...headers]
  return all.length ? all : undefined
}

const KEY = 'key'

const KEY_SCHEME = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'bulk_<id>_<secret>',
  description: 'An API key. The administrator makes it with `bun run keys create`.',
}

const RATE_HEADERS = {
  'RateLimit-Limit': 'Requests that the key may send at once after a rest; absent where no key is asked for.',
  'RateLimit-Remaining': 'How many of them it may send now.',
  'RateLimit-Reset': 'Seconds until it may send all of them again.',
}

function needText(scope: Need | undefined): string | undefined {
  if (!scope) return undefined
  return scope === 'key' ? 'Needs a key.' : `Needs a key with the scope \`${scope}\` for the figura.`
}

/** What is answered before the address itself is asked. */
function gateErrors(scope: Need | undefined): ErrorCode[] {
  if (!scope) return []
  const any = ['key_refused', 'rate_limited', 'unavailable'] as const
  return scope === 'key' ? [...any] : [...any, 'scope_missing', 'figura_unknown']
}

/** What an address answers beside JSON. */
function fileContents(): Json {
  const schema = { type: 'string', description: 'A file of all rows.' }
  return Object.fromEntries(Object.values(FILE_FORMATS).map((type) => [type, { schema }]))
}

function completeParameter(parameter: Parameter, served: Served[]): Parameter {
  const { 'x-documented': documented, pattern, ...schema } = parameter.schema
  if (documented) return { ...parameter, description: schema.description, schema: Object(documented) }
  const words: Record<string, string[]> = {
    figura: served.map(({ name }) => name),
    code: Object.keys(ERRORS),
  }
  const known = words[parameter.name]
  // an enum of nothing would be no schema
  const choice = known?.length ? { enum: known, examples: undefined } : { pattern }
  return { ...parameter, description: schema.description, schema: { ...schema, ...choice } }
}

function figurasTable(served: Served[]): string {
  const rows = served.map(({ name, figura }) => [
    `[${name}](/figuras/${name})`,
    figura.description,
    tableName(figura),
    figura.key.join(', '),
  ])
  return markdownTable(['figura', 'a row is', 'table', 'key'], rows)
}

function submissionBody(served: Served[]): Json {
  const examples = served.map(({ name, figura }) => [
    name,
    { summary: figura.description || name, value: { url: exampleUrl(figura) } },
  ])
  const { url, urls, sha256, mode, dry_run } = Object(exampleOf(Submission))
  const further = {
    checked: { summary: 'with the SHA-256 of the file', value: { url, sha256 } },
    several: { summary: 'several files as one', value: { urls } },
    trial: { summary: 'a trial, in a mode of its own', value: { url, mode, dry_run } },
  }
  const content = {
    schema: JSON.parse(JSON.stringify(Submission)),
    examples: { ...Object.fromEntries(examples), ...further },
  }
  return { description: Submission.description, required: true, content: { 'application/json': content } }
}

/** The problems that an address can answer, by status, each code with its example. */
function problemResponses(given: ErrorCode[]): Record<string, Json> {
  const codes = [...new Set(given)]
  const statuses = [...new Set(codes.map((code) => ERRORS[code].status))]
  return Object.fromEntries(
    statuses.map((status) => {
      const those = codes.filter((code) => ERRORS[code].status === status)
      const examples = those.map((code) => [
        code,
        { summary: ERRORS[code].title, value: problemExample(code) },
      ])
      const content = {
        schema: JSON.parse(JSON.stringify(ProblemDetails)),
        examples: Object.fromEntries(examples),
      }
      const headers = headerObjects(PROBLEM_HEADERS[status] ?? {})
      return [
        status,
        { description: those.join(', '), headers, content: { 'application/problem+json': content } },
      ]
    }),
  )
}

const RETRY_AFTER = { 'Retry-After': 'Seconds to wait before the next try.' }

const PROBLEM_HEADERS: Record<number, Record<string, string>> = {
  401: { 'WWW-Authenticate': 'That a key is asked for, and what is wrong with the one that was sent.' },
  429: { ...RETRY_AFTER, ...RATE_HEADERS },
  503: RETRY_AFTER,
}

function headerObjects(headers: Record<string, string>): Json | undefined {
  const entries = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ])
  return entries.length ? Object.fromEntries(entries) : undefined
}

function withExamples(content: unknown, examples: Json): Json {
  const [[type, body] = []] = Object.entries(Object(content))
  return { [String(type)]: { ...Object(body), examples } }
}

/** Moves schemas that have a title to `schemas`, under it, and leaves references in their places. */
function nameSchemas(value: unknown, schemas: Json): unknown {
  if (Array.isArray(value)) return value.map((one) => nameSchemas(one, schemas))
  if (typeof value !== 'object' || value === null) return value
  // that more fields may come, is the rule: pages that show it make it look like a field of its own
  const shown = ([key, inner]: [string, unknown]) =>
    key !== 'x-expected' && !(key === 'additionalProperties' && inner === true)
  const entries = Object.entries(value).filter(shown)
  const copy: Json = Object.fromEntries(
    entries.map(([key, inner]) => [key === 'x-format' ? 'format' : key, nameSchemas(inner, schemas)]),
  )
  // the plugin writes "this or null" into the type, and forgets that an enum then lacks the null
  if (Array.isArray(copy.type) && Array.isArray(copy.enum)) copy.enum = [...copy.enum, null]
  if (typeof copy.title !== 'string' || !('properties' in copy)) return copy
  const { title, type, ...rest } = copy
  schemas[title] = { type: 'object', ...rest }
  const reference = { $ref: `#/components/schemas/${title}` }
  const { description } = rest
  return Array.isArray(type) ? { description, anyOf: [reference, { type: 'null' }] } : reference
}
