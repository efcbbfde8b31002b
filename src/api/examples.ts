import type { TSchema } from '@sinclair/typebox'
import { BulkError, ERRORS, type ErrorCode, type Problem } from '../errors.ts'
import { markdownTable } from './markdown.ts'
import { JOB_ID } from './schema-parts.ts'
import { JobStatus, Submission } from './schemas.ts'

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
  const plain = {
    error: null,
    mode: 'merge' as const,
    dry_run: null,
    files: null,
    rejects: null,
    impact: null,
  }
  const job = { ...Object(exampleOf(JobStatus)), ...plain }
  const ended = { phase: null, finished_at: '2026-03-02T12:00:06.700Z' }
  const none = Object.fromEntries(Object.keys(job.stats).map((name) => [name, null]))
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
  const completed = { ...job, ...ended, status: 'completo', progress: done }
  const { stats, rejects } = Object(exampleOf(JobStatus))
  const leftOut = { stats: { ...stats, rejected: 12, staged: 199_988, unchanged: 198_488 }, rejects }
  return {
    processando: { summary: 'being read', value: staging },
    completo: { summary: 'in the table', value: completed },
    rejeitadas: { summary: 'in the table, but for some rows', value: { ...completed, ...leftOut } },
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

const FIELDS = Object.keys(Submission.properties).join(', ')
const FILE = 's3://exportacoes/fornecedores/2026-03-02.parquet'

/** What is said with the codes that requests meet, and one that a job meets. */
const SAID: Partial<Record<ErrorCode, Said>> = {
  body_not_json: { subject: 'The body', found: 'an empty body', expected: 'a JSON object', instance: BULK },
  body_invalid: {
    subject: 'The body',
    found: 'urls: 5; ulr: an unknown field',
    expected: `urls: a list of 1 to 1000 addresses, no two alike; ulr: url (known are ${FIELDS})`,
    errors: [
      { field: 'urls', found: '5', expected: 'a list of 1 to 1000 addresses, no two alike' },
      { field: 'ulr', found: 'an unknown field', expected: `url (known are ${FIELDS})` },
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
  body_slow: {
    subject: 'The body',
    found: 'a part of it after 10000 ms',
    expected: 'all of it',
    instance: BULK,
  },
  key_refused: {
    subject: 'The key of the caller',
    found: 'none',
    expected: 'Authorization: Bearer bulk_…',
    instance: BULK,
  },
  scope_missing: {
    subject: 'The key for the figura fornecedores',
    found: 'no such scope',
    expected: 'submit',
    scope: 'submit',
    instance: BULK,
  },
  rate_limited: {
    subject: 'The caller',
    found: 'more requests than it may send',
    expected: 'a pause',
    retry_after: 1,
    instance: BULK,
  },
  queue_full: {
    subject: 'The figura fornecedores',
    found: '10000 jobs that have not ended',
    expected: 'fewer',
    limit: 10_000,
    retry_after: 10,
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
  source_empty: {
    subject: 's3://exportacoes/fornecedores/2026-03-*.parquet',
    found: 'none that fits among 7 keys that begin alike',
    expected: 'a file at the least',
    instance: BULK,
  },
  source_missing: { subject: FILE, found: 'HTTP 404 NoSuchKey', expected: 'the file', instance: BULK },
  source_denied: { subject: FILE, found: 'HTTP 403 AccessDenied', expected: 'the file', instance: BULK },
  source_changed: {
    subject: FILE,
    found: 'the ETag "77aa01c2"',
    expected: '"9b2cf535", as it was sent',
    instance: BULK,
  },
  source_unreachable: { subject: FILE, found: 'ECONNREFUSED', expected: 'an answer', instance: BULK },
  job_ended: {
    subject: `The job ${JOB_ID}`,
    found: 'that it ended as completo',
    expected: 'one that waits or is at work',
    job_status: 'completo',
    instance: `${BULK}/${JOB_ID}`,
  },
  job_committing: {
    subject: `The job ${JOB_ID}`,
    found: 'that its rows are being committed',
    expected: 'one that waits or is at work',
    job_status: 'processando',
    instance: `${BULK}/${JOB_ID}`,
  },
  mode_refused: {
    subject: 'The figura fornecedores',
    found: 'the mode replace',
    expected: 'merge or append',
    allow: ['merge', 'append'],
    instance: BULK,
  },
  file_too_large: {
    subject: FILE,
    found: '1200000 rows',
    expected: 'at most 1000000 (limits.max_rows of the figura)',
    instance: BULK,
  },
  file_not_parquet: {
    subject: FILE,
    found: 'a page of HTML',
    expected: 'a parquet file, with PAR1 at its end',
    instance: BULK,
  },
  key_null: {
    subject: 'The column id',
    found: '3 null(s), as the footer says',
    expected: 'none',
    column: 'id',
    nulls: 3,
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
