import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'bun:test'
import type { Answer } from './api.ts'

/** As much of an OpenAPI document as the checks need. */
export type Document = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown>; securitySchemes?: object }
}
type Operation = {
  operationId: string
  summary?: string
  description?: string
  security?: object[]
  parameters?: { name: string; schema: Record<string, unknown> }[]
  requestBody?: { content: Record<string, Content> }
  responses: Record<string, { description: string; headers?: object; content: Record<string, Content> }>
}
type Content = { schema: object; examples?: Record<string, { value: unknown }> }

/** Addresses that the document does not describe: the documentation itself. */
const UNDESCRIBED = /^\/(docs|favicon\.ico)/

/**
 * Checks an answer against what the API says of itself: the status, the content type, the schema, and for an
 * error also that its code is documented for that address and that its fields agree with the answer.
 */
export function checkAnswer(
  document: Document,
  asked: { method: string; path: string },
  answer: Answer,
): void {
  const path = asked.path.replace(/\?.*/, '')
  const type = answer.headers.get('content-type')?.replace(/;.*/, '') ?? ''
  if (asked.method === 'HEAD') return
  if (type === 'application/problem+json') checkProblem(document, path, answer)
  if (UNDESCRIBED.test(path)) return
  const found = findOperation(document, asked.method, path)
  const code = String(answer.body.code)
  const nowhere = type === 'application/problem+json' && ['route_unknown', 'method_refused'].includes(code)
  if (nowhere) return
  if (!found)
    throw new Error(`${asked.method} ${path} is not documented, and was answered with ${answer.status}`)
  const { operation, pointer } = found
  const documented = operation.responses[answer.status]
  if (!documented) throw new Error(`${pointer}: the status ${answer.status} is not documented`)
  expect(Object.keys(documented.content)).toContain(type)
  if (!type.endsWith('json') || type.endsWith('ndjson')) return
  mustFit(document, `${pointer}/responses/${answer.status}/content/${escaped(type)}/schema`, answer.body)
  if (type === 'application/problem+json') {
    expect(Object.keys(documented.content[type]?.examples ?? {})).toContain(code)
  }
}

/** Throws unless the value fits the schema at that place of the document. */
export function mustFit(document: Document, pointer: string, value: unknown): void {
  const fits = compiled(document, pointer)
  if (!fits(value)) throw new Error(`${pointer}: ${JSON.stringify(fits.errors)} in ${JSON.stringify(value)}`)
}

/** A key as a JSON pointer in a URL has it. */
export function escaped(key: string): string {
  return encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))
}

function checkProblem(document: Document, path: string, { status, headers, body }: Answer): void {
  mustFit(document, '#/components/schemas/Problem', body)
  expect(body).toMatchObject({ status, type: `/problems/${body.code}`, instance: path })
  // every sentence says what was found, what was expected, and what to do
  expect(body.detail).toMatch(/: found .+, expected .+\. .+/s)
  expect(headers.get('cache-control')).toBe('no-store')
}

function findOperation(document: Document, method: string, path: string) {
  const parts = path.replace(/(?<=.)\/$/, '').split('/')
  const fits = (template: string) => {
    const wanted = template.split('/')
    return (
      wanted.length === parts.length && wanted.every((part, at) => part.startsWith('{') || part === parts[at])
    )
  }
  const wild = (template: string) => template.split('{').length
  const verb = method.toLowerCase()
  // DELETE of a job whose id is the word `pause` is one of a job all the same
  const templates = Object.keys(document.paths).filter((path) => document.paths[path]?.[verb] && fits(path))
  const template = templates.toSorted((a, b) => wild(a) - wild(b))[0]
  const operation = template === undefined ? undefined : document.paths[template]?.[verb]
  if (!operation || template === undefined) return undefined
  return { operation, pointer: `#/paths/${escaped(template)}/${verb}` }
}

const validators = new Map<string, Ajv2020>()

function compiled(document: Document, pointer: string): ValidateFunction {
  const text = JSON.stringify(document)
  let ajv = validators.get(text)
  if (!ajv) {
    ajv = new Ajv2020({ strict: false, allErrors: true, formats: FORMATS })
    ajv.addSchema(document, 'api.json')
    validators.set(text, ajv)
  }
  const known = ajv.getSchema(`api.json${pointer}`)
  if (!known) throw new Error(`${pointer} is not in the document`)
  return known
}

const FORMATS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  date: /^\d{4}-\d\d-\d\d$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
}
