import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { exampleUrl } from '../../src/api/figuras.ts'
import { smallFigura } from '../support/figuras.ts'
import { type Api, figuraText, startApi } from './api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

test('figuras are listed as their files are now, broken ones with what is wrong', async () => {
  api.figura('quebrada', figuraText('quebrada').replace('bigint', 'inteiro'))
  const { status, body } = await api.ask('/figuras')
  expect(status).toBe(200)
  expect(body.figuras).toEqual([
    {
      name: 'coisas',
      ok: true,
      description: 'Uma linha de coisas',
      table: 'dados.coisas',
      key: ['id'],
      columns: 3,
      errors: [],
      links: { self: '/figuras/coisas', bulk: '/coisas/_bulk' },
    },
    {
      name: 'quebrada',
      ok: false,
      description: null,
      table: null,
      key: null,
      columns: null,
      errors: [expect.objectContaining({ file: 'quebrada.yaml', line: 5 })],
      links: { self: '/figuras/quebrada', bulk: '/quebrada/_bulk' },
    },
  ])
  api.figura('quebrada', null)
  expect((await api.ask('/figuras')).body.figuras).toHaveLength(1)
})

test('a figura tells its whole contract, and an example that is accepted as it stands', async () => {
  const { status, body } = await api.ask('/figuras/coisas')
  expect(status).toBe(200)
  const url = 's3://arquivos/coisas/coisas.parquet'
  expect(body).toEqual({
    name: 'coisas',
    description: 'Uma linha de coisas',
    table: 'dados.coisas',
    key: ['id'],
    columns: [
      { name: 'id', type: 'bigint', required: true, from: 'id' },
      { name: 'nome', type: 'varchar(40)', required: true, from: 'name' },
      { name: 'preco', type: 'numeric(10,2)', required: false, from: 'preco' },
    ],
    checks: {},
    extra: 'ignore',
    load: {
      mode: 'merge',
      allow: ['merge'],
      version: null,
      duplicates: 'refuse',
      scope: [],
      max_delete_percent: 50,
      delete_marker: null,
      history: false,
      audit: { loaded_at: null, job_id: null },
    },
    rejects: { max_rows: 0, max_percent: null },
    limits: { max_bytes: null, max_rows: null, max_seconds: null },
    paused: null,
    csv: { delimiter: ',', quote: '"', null: '', decimal: '.' },
    sources: ['s3://arquivos/coisas/', 'https://example.com/'],
    contract: expect.stringMatching(/^[0-9a-f]+$/),
    links: { self: '/figuras/coisas', bulk: '/coisas/_bulk' },
    example: {
      url,
      curl: `curl -X PUT http://localhost/coisas/_bulk -H 'Content-Type: application/json' -d '{"url":"${url}"}'`,
    },
  })
  await api.send('coisas', url)
})

test('a figura tells its rules, modes and limits', async () => {
  const more = `  cnpj: { type: text, pattern: '^[0-9]{14}$', null_if: ['', '-'], max_length: 14, sensitive: true }
  limite: { type: 'numeric(15,2)', min: 0, max: 10, check: 'limite <> 3', default: 1, only_insert: true }
load: { mode: append, allow: [merge, replace], duplicates: last, max_delete_percent: 5, audit: { job_id: carga } }
checks: { sensato: 'limite < preco' }
extra: refuse
rejects: { max_rows: 100, max_percent: 1 }
limits: { max_bytes: 500, max_rows: 10, max_duration: 15m }
csv: { delimiter: ';', null: '-', decimal: ',' }
sources:`
  api.figura(
    'coisas',
    figuraText('coisas').replace('sources:', () => more),
  )
  const { body } = await api.ask('/figuras/coisas')
  const [, , , cnpj, limite] = Object(body.columns)
  const rules = { pattern: '^[0-9]{14}$', null_if: ['', '-'], max_length: 14, sensitive: true }
  expect(cnpj).toMatchObject(rules)
  expect(limite).toMatchObject({ min: 0, max: 10, check: 'limite <> 3', default: 1, only_insert: true })
  expect(body).toMatchObject({
    checks: { sensato: 'limite < preco' },
    extra: 'refuse',
    load: {
      mode: 'append',
      allow: ['append', 'merge', 'replace'],
      duplicates: 'last',
      max_delete_percent: 5,
      audit: { loaded_at: null, job_id: 'carga' },
    },
    rejects: { max_rows: 100, max_percent: 1 },
    limits: { max_bytes: 500, max_rows: 10, max_seconds: 900 },
    paused: null,
    csv: { delimiter: ';', quote: '"', null: '-', decimal: ',' },
  })
})

test('a figura that is unknown or broken is an error', async () => {
  const unknown = await api.ask('/figuras/coisa')
  expect(unknown).toMatchObject({ status: 404, body: { code: 'figura_unknown', nearest: 'coisas' } })
  api.figura('coisas', 'nada')
  const broken = await api.ask('/figuras/coisas')
  expect(broken).toMatchObject({ status: 409, body: { code: 'figura_broken' } })
})

test('an example lies under the first source, or is it', () => {
  const of = (source: string) => exampleUrl({ ...smallFigura('coisas'), sources: [source] })
  expect(of('s3://arquivos')).toBe('s3://arquivos/coisas.parquet')
  expect(of('s3://arquivos/a')).toBe('s3://arquivos/a/coisas.parquet')
  expect(of('https://example.com/a/')).toBe('https://example.com/a/coisas.parquet')
  expect(of('https://example.com/a/b.parquet')).toBe('https://example.com/a/b.parquet')
})
