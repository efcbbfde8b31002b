import type { TSchema } from '@sinclair/typebox'
import { BulkError, ERRORS, type ErrorCode, type Problem } from '../errors.ts'
import { markdownTable } from './markdown.ts'
import { JobStatus, URL_EXPECTED } from './schemas.ts'

/** A value that fits the schema, put together from the first example of each of its fields. */
export function exampleOf(schema: TSchema): unknown {
  const [example] = schema.examples ?? []
  if (example !== undefined) return example
  if (schema.const !== undefined) return schema.const
  if (schema.anyOf) return exampleOf(schema.anyOf[0])
  if (schema.items) return [exampleOf(schema.items)]
  if (!schema.properties) return schema.type === 'string' ? 'text' : null
  const fields: [string, TSchema][] = Object.entries(schema.properties)
  return Object.fromEntries(fields.map(([name, field]) => [name, exampleOf(field)]))
}

/** Jobs in the statuses that matter most, as the status address answers them. */
export function jobExamples(): Record<string, { summary: string; value: object }> {
  const job = { ...Object(exampleOf(JobStatus)), error: null }
  const ended = { phase: null, finished_at: '2026-03-02T12:00:06.700Z' }
  const none = { read: null, inserted: null, updated: null, unchanged: null }
  const done = { chunks: { done: 8, total: 8 }, rows: { done: 200_000, total: 200_000 }, percent: 100 }
  const timings = { ...job.timings_ms, stage: null, merge: null }
  const staging = {
    ...job,
    finished_at: null,
    stats: none,
    timings_ms: { ...timings, stage: 900, total: 1_100 },
  }
  const unread = { chunks: { done: 0, total: null }, rows: { done: 0, total: null }, percent: 0 }
  const failed = { status: 'erro', progress: unread, stats: none, error: problemExample('schema_differs') }
  return {
    processando: { summary: 'being read', value: staging },
    completo: { summary: 'in the table', value: { ...job, ...ended, status: 'completo', progress: done } },
    erro: { summary: 'ended in an error', value: { ...staging, ...ended, ...failed, timings_ms: timings } },
  }
}

/** The problem of a code as it may be answered. */
export function problemExample(code: ErrorCode): Problem {
  const { subject, found, expected, ...extra } = SAID[code] ?? {
    subject: 'It',
    found: 'this',
    expected: 'another',
  }
  const { instance, ...more } = { instance: undefined, ...extra }
  const problem = new BulkError(code, { subject, found, expected }, more).problem()
  return instance === undefined ? problem : { ...problem, instance }
}

type Said = { subject: string; found: string; expected: string; [extra: string]: unknown }

const BULK = '/fornecedores/_bulk'
const REQUEST = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a11'

/** What is said with the codes that requests meet, and one that a job meets. */
const SAID: Partial<Record<ErrorCode, Said>> = {
  body_not_json: { subject: 'The body', found: 'an empty body', expected: 'a JSON object', instance: BULK },
  body_invalid: {
    subject: 'The body',
    found: 'url: nothing; ulr: an unknown field',
    expected: `url: ${URL_EXPECTED}; ulr: url (known are url, sha256)`,
    errors: [
      {
        field: 'url',
        found: 'nothing',
        expected: URL_EXPECTED,
      },
      { field: 'ulr', found: 'an unknown field', expected: 'url (known are url, sha256)' },
    ],
    instance: BULK,
  },
  query_invalid: {
    subject: 'The parameter limit',
    found: '"500"',
    expected: 'a whole number from 1 to 200',
    errors: [{ field: 'limit', found: '"500"', expected: 'a whole number from 1 to 200' }],
    instance: BULK,
  },
  figura_unknown: {
    subject: 'The figura',
    found: '"fornecedor"',
    expected: 'one of fornecedores, produtos',
    nearest: 'fornecedores',
    figuras: ['fornecedores', 'produtos'],
    instance: '/fornecedor/_bulk',
  },
  figura_broken: {
    subject: 'The figura fornecedores',
    found: 'an error in its file',
    expected: 'none',
    errors: [
      {
        file: 'fornecedores.yaml',
        line: 7,
        column: 12,
        found: 'the type "inteiro"',
        expected: 'a type of PostgreSQL',
        message: 'fornecedores.yaml:7: found the type "inteiro", expected a type of PostgreSQL',
      },
    ],
    instance: BULK,
  },
  job_unknown: {
    subject: 'The figura fornecedores',
    found: `no job "${REQUEST}"`,
    expected: 'the id of one of its jobs',
    instance: `${BULK}/status/${REQUEST}`,
  },
  route_unknown: {
    subject: 'The address',
    found: '/nowhere',
    expected: 'one of the API',
    instance: '/nowhere',
  },
  method_refused: {
    subject: `The address ${BULK}`,
    found: 'POST',
    expected: 'GET or HEAD or PUT',
    allow: ['GET', 'HEAD', 'PUT'],
    instance: BULK,
  },
  body_too_large: {
    subject: 'The body',
    found: '24117248 bytes',
    expected: 'at most 65536 bytes',
    instance: BULK,
  },
  unavailable: {
    subject: 'The service',
    found: 'no PostgreSQL that answers',
    expected: 'all that it needs',
    instance: BULK,
  },
  internal: {
    subject: `The request ${REQUEST}`,
    found: 'a fault of the service',
    expected: 'an answer',
    id: REQUEST,
    instance: BULK,
  },
  source_refused: {
    subject: 'url',
    found: 's3://elsewhere/fornecedores.parquet',
    expected: 'an address under s3://exportacoes/fornecedores/',
    sources: ['s3://exportacoes/fornecedores/'],
    instance: BULK,
  },
  schema_differs: {
    subject: 'The file',
    found: '1 difference',
    expected: 'none',
    differences: [{ column: 'cnpj', found: 'nothing', expected: 'text', fix: 'Export the column cnpj.' }],
  },
}

/** Every code, for the list in the documentation. */
export function codesTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, title, action }]) => [
    code,
    String(status),
    title,
    action,
  ])
  return markdownTable(['code', 'status', 'meaning', 'what to do'], rows)
}
