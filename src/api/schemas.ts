import { Type } from '@sinclair/typebox'
import { type Static, t } from 'elysia'
import { ADDRESS_LENGTH_MAX } from '../address.ts'
import { MODES } from '../figura/types.ts'
import { DRY_RUNS, FORMATS, PHASES, STATUSES } from '../job.ts'
import { FILES_MAX } from '../source/list.ts'
import { JobFiles, RejectsSummary, Stats, Waiting } from './load-schemas.ts'
import {
  answer,
  count,
  CREATED,
  FiguraName,
  JOB_ID,
  JobId,
  nullable,
  oneOf,
  ProblemDetails,
  time,
} from './schema-parts.ts'

/** What is sent and answered about jobs. See schema-parts.ts. */

/** What a url of another kind is told. */
export const URL_EXPECTED = `an address such as s3://bucket/key, of at most ${ADDRESS_LENGTH_MAX} characters`

const Address = (description: string) =>
  t.String({
    minLength: 1,
    maxLength: ADDRESS_LENGTH_MAX,
    description,
    examples: ['s3://exportacoes/fornecedores/2026-03-02.parquet'],
    'x-expected': URL_EXPECTED,
  })

export const Submission = t.Object(
  {
    url: t.Optional(
      Address(
        'Where the file is: s3://bucket/key, or an https address (a presigned one too). It must lie under ' +
          'one of the sources of the figura. What follows the "?" is kept secret. Several files at once: ' +
          's3://bucket/prefix/*.parquet, with one "*" behind the last "/"; what fits at this moment is loaded.',
      ),
    ),
    urls: t.Optional(
      t.Array(Address('The address of one of the files.'), {
        minItems: 1,
        maxItems: FILES_MAX,
        description: 'Several files in place of `url`: they are loaded as one, all or none.',
        examples: [['s3://exportacoes/fornecedores/1.parquet', 's3://exportacoes/fornecedores/2.parquet']],
        'x-expected': `a list of 1 to ${FILES_MAX} addresses, no two alike`,
      }),
    ),
    sha256: t.Optional(
      t.String({
        pattern: '^[0-9a-fA-F]{64}$',
        description:
          'The SHA-256 of the whole file. Where it is given, a file that has another is not loaded.',
        examples: ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
        'x-expected': '64 hexadecimal digits',
      }),
    ),
    etag: t.Optional(
      t.String({
        pattern: '^([A-Za-z0-9_.:+=-]{1,200}|"[A-Za-z0-9_.:+=-]{1,200}")$',
        description: 'The ETag of the file, with or without quotes. Another version of it is not loaded.',
        examples: ['"9b2cf535"'],
        'x-expected': 'a strong ETag, such as "9b2cf535"',
      }),
    ),
    mode: t.Optional(
      oneOf(MODES, {
        description: 'What loading means this time; the figura says which it allows. Absent: what it says.',
        examples: ['merge'],
        'x-expected': `one of ${MODES.join(', ')}`,
      }),
    ),
    dry_run: t.Optional(
      oneOf(DRY_RUNS, {
        description:
          'A trial, which leaves the table as it is. schema: the columns alone are looked at. rows: every row ' +
          'is read and checked. impact: also what the table would become.',
        examples: ['impact'],
        'x-expected': `one of ${DRY_RUNS.join(', ')}`,
      }),
    ),
  },
  {
    title: 'Submission',
    description: 'The address of a file to load, or of several: either `url` or `urls`.',
    additionalProperties: false,
    'x-expected': 'an object such as {"url": "s3://bucket/key"}',
  },
)
export type Submission = Static<typeof Submission>

export const JobQuery = t.Object(
  {
    status: t.Optional(
      oneOf(STATUSES, {
        description: 'Only jobs in this status.',
        examples: ['erro'],
        'x-expected': `one of ${STATUSES.join(', ')}`,
      }),
    ),
    // a string, since Elysia's coerced numbers lose the name of the parameter when they are out of range
    limit: t.Optional(
      t.String({
        pattern: '^([1-9]|[1-9][0-9]|1[0-9][0-9]|200)$',
        description: 'Jobs on a page, from 1 to 200; 50 unless told.',
        'x-documented': { type: 'integer', minimum: 1, maximum: 200, default: 50 },
        'x-expected': 'a whole number from 1 to 200',
      }),
    ),
    cursor: t.Optional(
      t.String({
        pattern: '^[A-Za-z0-9_-]{22}$',
        description:
          'Where the page begins: the `next` of the page before it. Jobs that come in later do not shift it.',
        examples: ['AZqxwn0-ekGcVQ9uLYtKEA'],
        'x-expected': 'the `next` of an earlier page, as it was answered',
      }),
    ),
  },
  { additionalProperties: false },
)

export const Accepted = answer(
  {
    id: JobId,
    figura: FiguraName,
    status: t.Literal('enfileirado', { description: 'The status that every job begins in.' }),
    status_url: t.String({
      description: 'Where to ask how the job fares; also the header Location.',
      examples: [`/fornecedores/_bulk/status/${JOB_ID}`],
    }),
  },
  { title: 'Accepted', description: 'The job is kept, and cannot be lost any more.' },
)
export type Accepted = Static<typeof Accepted>

const JobStatusWord = oneOf(STATUSES, {
  description:
    'enfileirado: waits in the queue. processando: is being read or merged. completo: the table has it. ' +
    'erro: nothing of it is in the table, and `error` says why. cancelado: ended by a request.',
  examples: ['processando'],
})

export const JobStatus = answer(
  {
    id: JobId,
    figura: FiguraName,
    status: JobStatusWord,
    phase: nullable(
      oneOf(PHASES, {
        description:
          'What a job in `processando` is doing. plan: the footer is read. stage: rows are read. wait: an ' +
          'earlier job of the figura has to merge first. merge: rows go into the table. Else null.',
        examples: ['stage'],
      }),
    ),
    created_at: t.String({
      'x-format': 'date-time',
      description: 'When the job was accepted.',
      examples: [CREATED],
    }),
    started_at: time('When a worker first took the job.'),
    finished_at: time('When the job ended.'),
    source: t.Object(
      {
        url: t.String({
          description: 'The address, without credentials and query.',
          examples: ['s3://exportacoes/fornecedores/2026-03-02.parquet'],
        }),
        bytes: count('Size of the file.', [24_117_248]),
        rows: count('Rows of the file, as its footer states them.', [200_000]),
        row_groups: count('Row groups of the file.', [8]),
        etag: nullable(
          t.String({ description: 'The version of the file that is loaded.', examples: ['"9b2cf535"'] }),
        ),
      },
      { description: 'The file. What only its footer tells is null until it was read.' },
    ),
    progress: t.Object(
      {
        chunks: t.Object({
          done: Type.Integer({
            minimum: 0,
            description: 'Chunks of the file that are staged.',
            examples: [3],
          }),
          total: count('Chunks that the file was cut into.', [8]),
        }),
        rows: t.Object({
          done: Type.Integer({ minimum: 0, description: 'Rows that are staged.', examples: [75_000] }),
          total: count('Rows of the file.', [200_000]),
        }),
        percent: t.Number({
          minimum: 0,
          maximum: 100,
          description:
            'Half of it is the staging, the other half the merge, which cannot be seen into: so a job in ' +
            '`merge` stands at 50. 100 is said of `completo` alone.',
          examples: [18.8],
        }),
      },
      { description: 'How far the job is.' },
    ),
    mode: nullable(
      oneOf(MODES, {
        description:
          'What loading means for the job: the mode that was asked for, else that of the figura. ' +
          'Null: the job is older than modes, and merges.',
        examples: ['merge'],
      }),
    ),
    dry_run: nullable(
      oneOf(DRY_RUNS, {
        description: 'Which trial this is; null: none, the table is loaded.',
        examples: ['rows'],
      }),
    ),
    format: nullable(
      oneOf(FORMATS, { description: 'What the file is, as its content tells.', examples: ['parquet'] }),
    ),
    files: nullable(JobFiles),
    stats: Stats,
    rejects: nullable(RejectsSummary),
    impact: nullable(
      t.Record(t.String(), t.Unknown(), {
        description: 'What a trial of the impact found; else null.',
        examples: [{ inserted: 1_200, updated: 300, samples: [] }],
      }),
    ),
    timings_ms: t.Object(
      {
        queue: count('From acceptance until a worker took the job; so far, while it waits.', [42]),
        plan: count('Reading the footer and cutting the file into chunks.', [120]),
        stage: count('Reading the rows into the stage; so far, while that goes on.', [3_500]),
        merge: count('Merging the stage into the table.', [2_900]),
        total: count('From acceptance to the end; so far, while the job lives.', [6_700]),
      },
      { description: 'Durations in milliseconds.' },
    ),
    attempts: Type.Integer({ minimum: 0, description: 'How often a worker took the job.', examples: [1] }),
    retry_of: nullable(
      t.String({ description: 'The job that this one does again; else null.', examples: [JOB_ID] }),
    ),
    deadline: time('When a job that was begun has to have ended; later it ends in `erro`.'),
    waiting: nullable(Waiting),
    error: nullable(
      t.Object(ProblemDetails.properties, {
        ...ProblemDetails,
        description: 'Why the job ended in `erro`; else null.',
      }),
    ),
  },
  { title: 'JobStatus', description: 'A job, with all that is known of it. Every field is always there.' },
)
export type JobStatus = Static<typeof JobStatus>

export const JobPage = answer(
  {
    jobs: t.Array(JobStatus, { description: 'Jobs of the figura, newest first.' }),
    next: nullable(
      t.String({
        description: 'The cursor of the next page; null on the last.',
        examples: ['AZqxwn0-ekGcVQ9uLYtKEA'],
      }),
    ),
  },
  { title: 'JobPage', description: 'One page of jobs.' },
)
export type JobPage = Static<typeof JobPage>
