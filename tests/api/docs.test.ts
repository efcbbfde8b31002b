import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { ERRORS } from '../../src/errors.ts'
import { type Api, figuraText, startApi } from './api.ts'
import { type Document, escaped, mustFit } from './contract.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('the page of the documentation', () => {
  test.each(['/docs', '/docs/'])('works without a way to the internet: %s', async (path) => {
    const { status, headers, text } = await api.ask(path)
    expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
    expect(text).not.toMatch(/https?:\/\//)
    // should swagger-ui ever want more, the browser refuses
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; (?!.*https?:)/)
    const wanted = [...text.matchAll(/(?:src|href)="([^"]+)"|"url":"([^"]+)"/g)].map(([, a, b]) => a ?? b)
    expect(new Set(wanted)).toEqual(
      new Set(['/docs/json', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui.css']),
    )
  })

  test.each([
    ['/docs/swagger-ui-bundle.js', 'text/javascript'],
    ['/docs/swagger-ui.css', 'text/css'],
    ['/favicon.ico', 'image/png'],
  ])('brings its own %s', async (path, type) => {
    const { status, headers, text } = await api.ask(path)
    expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining(type)])
    expect(text.length).toBeGreaterThan(500)
  })
})

describe('the documentation as data', () => {
  test('names the figuras that are served at that moment', async () => {
    expect(figurasOf(await read())).toEqual(['coisas'])
    api.figura('novas')
    api.figura('quebrada', figuraText('quebrada').replace('bigint', 'inteiro'))
    const document = await read()
    expect(figurasOf(document)).toEqual(['coisas', 'novas'])
    expect(document.components.schemas).toHaveProperty('Row_novas')
    expect(document.components.schemas).not.toHaveProperty('Row_quebrada')
    const { examples } =
      document.paths['/{figura}/_bulk']?.put?.requestBody?.content['application/json'] ?? {}
    expect(examples?.novas?.value).toEqual({ url: 's3://arquivos/novas/novas.parquet' })
    api.figura('novas', null)
    expect(figurasOf(await read())).toEqual(['coisas'])
  })

  test('tells a figura as it is at that moment, though it is kept until a figura changes', async () => {
    for (let change = 0; change < 20; change++) {
      api.figura('coisas', figuraText('coisas').replace('Uma linha', `A linha ${change}`))
      const texts = await Promise.all(
        [1, 2].map(async () => (await api.app.handle(new Request('http://localhost/docs/json'))).text()),
      )
      expect(texts.map((text) => text.includes(`A linha ${change} de coisas`))).toEqual([true, true])
    }
  })

  test('has a schema without figuras too', async () => {
    api.figura('coisas', null)
    const document = await read()
    expect(figurasOf(document)).toBeUndefined()
    expect(Object.keys(document.components.schemas)).not.toContainEqual(expect.stringMatching(/^Row_/))
  })

  test('has the columns of a figura: name, type, whether required, and the name in the file', async () => {
    const { components } = await read()
    expect(components.schemas.Row_coisas).toEqual({
      title: 'A row of coisas',
      description: expect.stringContaining('| nome | varchar(40) | yes | name |'),
      type: 'object',
      required: ['id', 'name'],
      properties: {
        id: { description: 'bigint, required', type: 'integer' },
        name: { description: 'varchar(40), becomes nome, required', type: 'string', maxLength: 40 },
        preco: { description: 'numeric(10,2)', type: ['number', 'null'] },
      },
    })
  })

  test('has the rules of a column, in words and as far as a schema can say them', async () => {
    api.figura(
      'regras',
      figuraText('regras').replace("preco: { type: 'numeric(10,2)' }", () => RULES),
    )
    const { components } = await read()
    const { description, properties, required } = Object(components.schemas.Row_regras)
    expect(description).toContain('Loaded by merge; replace may be asked for.')
    expect(description).toContain('| uf | char(2) | yes | estado | or from uf; else "SP"; one of AC, SP |')
    expect(required).toEqual(['id', 'name'])
    expect(properties.estado).toMatchObject({ enum: ['AC', 'SP'], default: 'SP' })
    expect(properties.preco).toMatchObject({ minimum: 0, maximum: 9 })
    expect(properties.cnpj).toMatchObject({ pattern: '^[0-9]{14}$' })
    expect(properties).not.toHaveProperty('maiusculo')
  })

  test('knows a schema for every type that a column can have', async () => {
    const types =
      'boolean smallint real date time timestamp timestamptz uuid bytea jsonb char(2) text[] double_precision'
    const columns = types.split(' ').map((type, at) => `  c${at}: { type: '${type.replace('_', ' ')}' }\n`)
    api.figura('todas', figuraText('todas').replace('sources:', `${columns.join('')}sources:`))
    const { components } = await read()
    const { properties } = Object(components.schemas.Row_todas)
    const seen = types
      .split(' ')
      .map((type, at) => [type, properties[`c${at}`].type?.[0], properties[`c${at}`].format])
    expect(seen).toEqual([
      ['boolean', 'boolean', undefined],
      ['smallint', 'integer', undefined],
      ['real', 'number', undefined],
      ['date', 'string', 'date'],
      ['time', 'string', undefined],
      ['timestamp', 'string', 'date-time'],
      ['timestamptz', 'string', 'date-time'],
      ['uuid', 'string', 'uuid'],
      ['bytea', 'string', undefined],
      ['jsonb', undefined, undefined],
      ['char(2)', 'string', undefined],
      ['text[]', 'array', undefined],
      ['double_precision', 'number', undefined],
    ])
  })

  test('gives an example of every error of every address, and each fits its schema', async () => {
    const document = await read()
    const codes = new Set<string>()
    for (const { path, method, operation } of operations(document)) {
      const place = `#/paths/${escaped(path)}/${method}`
      expect([place, operation.summary, operation.operationId]).toEqual([
        place,
        expect.any(String),
        expect.any(String),
      ])
      for (const [status, { content }] of Object.entries(operation.responses)) {
        for (const [type, { examples }] of Object.entries(content)) {
          for (const [code, { value }] of Object.entries(examples ?? {})) {
            mustFit(document, `${place}/responses/${status}/content/${escaped(type)}/schema`, value)
            if (type !== 'application/problem+json') continue
            codes.add(code)
            expect(value).toMatchObject({ code, status: Number(status) })
          }
        }
      }
    }
    expect([...codes].toSorted()).toEqual([
      'body_invalid',
      'body_not_json',
      'body_slow',
      'body_too_large',
      'expression_wrong',
      'figura_broken',
      'figura_unknown',
      'file_corrupt',
      'file_not_known',
      'file_not_parquet',
      'file_too_large',
      'idempotency_key_invalid',
      'idempotency_key_reused',
      'internal',
      'job_committing',
      'job_completed',
      'job_ended',
      'job_not_ended',
      'job_unknown',
      'key_null',
      'key_refused',
      'mode_refused',
      'query_invalid',
      'queue_full',
      'rate_limited',
      'required_null',
      'route_unknown',
      'schema_differs',
      'scope_missing',
      'sha256_differs',
      'source_changed',
      'source_denied',
      'source_empty',
      'source_missing',
      'source_refused',
      'source_unreachable',
      'unavailable',
    ])
  })

  test('says of every address whether it needs a key, and which scope', async () => {
    const document = await read()
    const open = operations(document).filter(({ operation }) => operation.security?.length === 0)
    expect(open.map(({ path }) => path).toSorted()).toEqual(['/livez', '/problems/{code}', '/readyz'])
    for (const { operation } of operations(document)) {
      if (operation.security?.length === 0) continue
      expect(operation.security).toEqual([{ key: [] }])
      expect(operation.description).toMatch(/Needs a key(\.| with the scope `\w+` for the figura\.)/)
      expect(Object.keys(operation.responses)).toContainValues(['401', '429'])
      expect(operation.responses['200'] ?? operation.responses['202']).toHaveProperty(
        'headers.RateLimit-Limit',
      )
    }
    expect(Object.keys(Object(document.components.securitySchemes))).toEqual(['key'])
  })

  test('gives examples of what is sent that fit too', async () => {
    const document = await read()
    const body = `#/paths/${escaped('/{figura}/_bulk')}/put/requestBody`
    const { examples } =
      document.paths['/{figura}/_bulk']?.put?.requestBody?.content['application/json'] ?? {}
    for (const { value } of Object.values(examples ?? {}))
      mustFit(document, `${body}/content/${escaped('application/json')}/schema`, value)
    expect(Object.keys(examples ?? {})).toEqual(['coisas', 'checked', 'several', 'trial'])
  })

  test('describes every field, and explains every code', async () => {
    const document = await read()
    const silent: string[] = []
    for (const [name, schema] of Object.entries(document.components.schemas)) findSilent(schema, name, silent)
    expect(silent).toEqual([])
    const explain = document.paths['/problems/{code}']?.get
    expect(explain?.parameters?.[0]?.schema.enum).toEqual(Object.keys(ERRORS))
    for (const code of Object.keys(ERRORS)) expect(JSON.stringify(explain)).toContain(`| ${code} |`)
  })

  test('keeps the notes of the house to itself', async () => {
    expect(JSON.stringify(await read())).not.toMatch(/"x-/)
  })
})

const RULES = `preco: { type: 'numeric(10,2)', min: 0, max: 9 }
  uf: { type: char(2), required: true, from: [estado, uf], default: SP, enum: [AC, SP] }
  cnpj: { type: text, pattern: '^[0-9]{14}$' }
  maiusculo: { type: text, expr: upper(name) }
load: { mode: merge, allow: [replace] }`

async function read(): Promise<Document> {
  const { text } = await api.ask('/docs/json')
  return JSON.parse(text)
}

function figurasOf(document: Document): unknown {
  const enums = operations(document).flatMap(({ operation }) =>
    (operation.parameters ?? []).filter(({ name }) => name === 'figura').map(({ schema }) => schema.enum),
  )
  // all addresses say the same
  expect(new Set(enums.map((one) => JSON.stringify(one))).size).toBe(1)
  return enums[0]
}

function operations(document: Document) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
}

/** Fields without a description; objects in between speak through their own fields. */
function findSilent(schema: unknown, place: string, silent: string[]): void {
  const { properties, items, description } = Object(schema)
  if (items) findSilent(items, `${place}[]`, silent)
  for (const [name, field] of Object.entries<object>(properties ?? {})) {
    const one = Object(field)
    const speaks = one.description || one.properties || one.$ref || one.anyOf
    if (!speaks) silent.push(`${place}.${name}`)
    findSilent(field, `${place}.${name}`, silent)
  }
  if (!properties && !items && !description && !Object(schema).$ref && !place.endsWith(']'))
    silent.push(place)
}
