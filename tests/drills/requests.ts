import fc, { type Arbitrary } from 'fast-check'
import type { Document } from '../api/contract.ts'
import type { Sent } from './wire.ts'

/** What the generator has to know of the service beside its documentation. */
export type World = { figuras: string[]; jobs: string[]; addresses: string[]; keys: string[] }

type Schema = Record<string, unknown>
type Operation = Document['paths'][string][string]

/** Requests to every documented address, right ones and wrong ones, and some to addresses that there are not. */
export function requests(document: Document, world: World): Arbitrary<Sent> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      weight: operation.requestBody ? 4 : 1,
      arbitrary: request(document, world, { path, method, operation }),
    })),
  )
  return fc.oneof(
    { weight: 30, arbitrary: fc.oneof(...operations) },
    { weight: 1, arbitrary: nowhere(world) },
  )
}

function request(
  document: Document,
  world: World,
  { path, method, operation }: { path: string; method: string; operation: Operation },
): Arbitrary<Sent> {
  const own = method.toUpperCase()
  const others = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS')
  const schema = operation.requestBody?.content['application/json']?.schema
  return fc
    .record({
      method: mostly(fc.constant(own), others, 15),
      path: pathOf(path, world),
      query: queryOf(operation),
      headers: headersOf(world),
      body: schema ? bodyOf(resolved(document, schema), world) : fc.option(anyText(), { freq: 20 }),
    })
    .map(({ path, query, body, ...rest }) => ({
      ...rest,
      target: path + query,
      body: body === null ? null : Buffer.from(body),
    }))
}

function nowhere(world: World): Arbitrary<Sent> {
  const target = fc
    .array(fc.oneof(segment(), fc.constantFrom('figuras', '_bulk', 'status', 'docs', '..', '.', '')), {
      maxLength: 6,
    })
    .map((segments) => `/${segments.join('/')}`)
  return fc.record({
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
    target,
    headers: headersOf(world),
    body: fc.constant(null),
  })
}

/** The first in most cases, else the second: once in `rarely`. */
function mostly<T>(usual: Arbitrary<T>, other: Arbitrary<T>, rarely: number): Arbitrary<T> {
  return fc.oneof({ weight: rarely - 1, arbitrary: usual }, { weight: 1, arbitrary: other })
}

function pathOf(template: string, { figuras, jobs }: World): Arbitrary<string> {
  const known: Record<string, string[]> = {
    figura: figuras,
    id: jobs,
    code: ['internal', 'body_slow', 'queue_full'],
  }
  const segments = template.split('/').map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (!name) return fc.constant(part)
    const none = fc.oneof(
      segment(),
      fc.uuid(),
      fc.constantFrom('docs', 'metrics', '__proto__', 'A', 'a'.repeat(64)),
    )
    return mostly(fc.constantFrom(...(known[name] ?? ['x'])), none, 8)
  })
  const end = mostly(fc.constant(''), fc.constantFrom('/', '//', '%00'), 20)
  return fc.tuple(fc.tuple(...segments), end).map(([parts, last]) => parts.join('/') + last)
}

/** A segment of a path: any text, encoded as it has to be; or not quite. */
function segment(): Arbitrary<string> {
  const encoded = fc
    .string({ unit: 'binary', maxLength: 12 })
    .map((text) => encodeURIComponent(text.toWellFormed()))
  const raw = fc.stringMatching(/^[!-"$->@-~]{0,12}$/)
  return fc.oneof(
    encoded,
    raw,
    fc.constantFrom('%', '%zz', '%00', '%c3%28', '%2e%2e', 'a%2Fb', '%F0%9F%92%A9'),
  )
}

function queryOf({ parameters = [] }: Operation): Arbitrary<string> {
  const given = (parameters as { name: string; in?: string; schema: Schema }[]).filter(
    (one) => one.in === 'query',
  )
  const known = given.map(({ name, schema }) =>
    fc.option(
      mostly(valueOf(schema), fc.oneof(anyText(), fc.constantFrom('', '0', '-1', '1e3', ' 1')), 4).map(
        (value) => `${name}=${encodeURIComponent(String(value).toWellFormed())}`,
      ),
    ),
  )
  const further = fc.constantFrom(
    'limit=1&limit=2',
    'x=1',
    'limit',
    '=',
    '&&',
    '%zz=%zz',
    'limit[]=1',
    '__proto__=1',
  )
  return fc.tuple(fc.tuple(...known), mostly(fc.constant(null), further, 8)).map(([parts, more]) => {
    const all = [...parts, more].filter((part) => part !== null)
    return all.length ? `?${all.join('&')}` : ''
  })
}

function headersOf({ keys }: World): Arbitrary<Sent['headers']> {
  const token = fc.stringMatching(/^[!-~]{1,40}$/)
  const key = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...keys).map((one) => `Bearer ${one}`) },
    {
      weight: 1,
      arbitrary: fc.oneof(
        token,
        token.map((one) => `Bearer ${one}`),
        fc.constantFrom('', 'Basic YTpi'),
      ),
    },
  )
  const further = fc.oneof(
    fc
      .constantFrom('application/json', 'text/plain', 'multipart/form-data', 'x')
      .map((type) => ['Content-Type', type]),
    fc
      .constantFrom('text/csv', 'application/x-ndjson', '*/*', 'application/json;q=0')
      .map((type) => ['Accept', type]),
    fc.oneof(token, fc.constantFrom('a', 'b', 'c')).map((value) => ['Idempotency-Key', value]),
    fc.constantFrom('gzip', 'br').map((value) => ['Content-Encoding', value]),
    token.map((value) => ['Cookie', value]),
    fc.constantFrom('100-continue').map((value) => ['Expect', value]),
    fc.constantFrom('bytes=0-1', 'x').map((value) => ['Range', value]),
  ) as Arbitrary<[string, string]>
  return fc
    .tuple(fc.option(key, { freq: 15 }), fc.array(further, { maxLength: 3 }))
    .map(([one, more]) => (one === null ? more : [['Authorization', one], ...more]))
}

function bodyOf(schema: Schema, { addresses }: World): Arbitrary<string | Uint8Array> {
  const url = mostly(fc.constantFrom(...addresses), anyText(), 6)
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]): [string, Arbitrary<unknown>] => {
      const right =
        name === 'url' ? url : name === 'urls' ? fc.array(url, { maxLength: 4 }) : valueOf(field as Schema)
      // absent in most cases: a file has seldom all that can be said of it
      return [name, mostly(fc.constant(undefined), mostly(right, fc.jsonValue(), 8), 4)]
    },
  )
  const some = fc.record(Object.fromEntries(fields))
  const right = fc.tuple(some, url).map(([one, first]) => (one.urls ? one : { ...one, url: first }))
  const withMore = fc.tuple(right, fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 2 }))
  const odd = withMore.map(([one, more]) => ({ ...one, ...more }))
  const value: Arbitrary<unknown> = fc.oneof(
    { weight: 6, arbitrary: right },
    { weight: 1, arbitrary: some },
    { weight: 1, arbitrary: odd },
  )
  const text = mostly(value, fc.jsonValue(), 8).map((one) => JSON.stringify(one))
  const cut = fc.tuple(text, fc.nat(30)).map(([one, by]) => one.slice(0, -by || undefined))
  const padded = fc
    .tuple(text, fc.integer({ min: 65_000, max: 66_000 }))
    .map(([one, size]) => one.padEnd(size))
  return fc.oneof(
    { weight: 20, arbitrary: text },
    { weight: 2, arbitrary: cut },
    { weight: 1, arbitrary: padded },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  )
}

function anyText(): Arbitrary<string> {
  return fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.string({ maxLength: 30 }), fc.webUrl())
}

/** A value that fits a schema, as far as ours go. */
function valueOf(schema: Schema): Arbitrary<unknown> {
  const { enum: words, pattern, type, anyOf, items, minimum = 0, maximum = 1000, examples } = schema
  if (Array.isArray(words)) return fc.constantFrom(...words)
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((one) => valueOf(one)))
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern))
  if (type === 'integer') return fc.integer({ min: Number(minimum), max: Number(maximum) })
  if (type === 'boolean') return fc.boolean()
  if (type === 'array') return fc.array(valueOf(items as Schema), { minLength: 1, maxLength: 4 })
  return Array.isArray(examples) ? fc.oneof(fc.constantFrom(...examples), anyText()) : anyText()
}

function resolved(document: Document, schema: object): Schema {
  const reference = '$ref' in schema ? String(schema.$ref).split('/').at(-1) : undefined
  return (reference === undefined ? schema : document.components.schemas[reference]) as Schema
}
