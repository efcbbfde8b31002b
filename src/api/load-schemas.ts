import { Type } from '@sinclair/typebox'
import { type Static, t } from 'elysia'
import { WAIT_REASONS } from '../job.ts'
import { answer, count, CREATED, FiguraName, JOB_ID, JobId, nullable, oneOf, time } from './schema-parts.ts'

/** What is answered about the rows of a job, and of what happened to it. See schema-parts.ts. */

export const JobFiles = t.Array(
  t.Object({
    url: t.String({
      description: 'The address, without credentials and query.',
      examples: ['s3://exportacoes/fornecedores/1.parquet'],
    }),
    rows: count('Rows of the file; null until it was looked at.', [100_000]),
    bytes: count('Size of the file; null until it was looked at.', [12_058_624]),
  }),
  {
    description:
      'The files of a job of several, numbered from 0, as they were when it was accepted; null: it has one. ' +
      'Null in a list of jobs.',
  },
)

export const Stats = t.Object(
  {
    read: count('Rows read from the file: rejected + duplicates + staged.', [200_000]),
    rejected: count('Rows that were left out, since they break a rule.', [0]),
    duplicates: count('Rows left out since another of the file with the same key counts.', [0]),
    staged: count('The others: inserted + updated + unchanged + stale + deleted.', [200_000]),
    inserted: count('Rows that are new in the table.', [1_200]),
    updated: count('Rows of the table that changed.', [300]),
    unchanged: count('Rows that were equal, and left alone.', [198_500]),
    stale: count('Rows older than those of the table, which were not applied.', [0]),
    deleted: count('Rows of the file that say that a row of the table is gone.', [0]),
    removed: count('Rows of the table that the file did not have, in mode `replace`.', [0]),
  },
  { description: 'What the job did to the table; null until it is `completo`.' },
)

const column = nullable(
  t.String({ description: 'The column of the figura; null: a rule of the row.', examples: ['cnpj'] }),
)
const rule = t.String({ description: 'The rule that the row breaks.', examples: ['pattern'] })
const row = Type.Integer({ minimum: 1, description: 'The row in its file, from 1.', examples: [17] })
const file = Type.Integer({
  minimum: 0,
  description: 'Which of `files` it stands in; 0 if there is one.',
  examples: [0],
})

const HELD_BY = [...WAIT_REASONS, 'paused', 'order'] as const

export const Waiting = t.Object(
  {
    reason: oneOf(HELD_BY, {
      description:
        'source: it fails, and is tried again. capacity: there is no room (a full disk, no connection), and the ' +
        'job waits for it. paused: no job of the figura is begun. order: an earlier job of the figura has to end ' +
        'first. None of it costs an attempt.',
      examples: ['capacity'],
    }),
    detail: t.String({
      description: 'What was met.',
      examples: ['could not extend file: No space left on device'],
    }),
    since: t.String({ 'x-format': 'date-time', description: 'Since when.', examples: [CREATED] }),
    until: time('When it is tried again; null: when the figura is resumed, or the earlier job has ended.'),
  },
  {
    description:
      'Why nobody works on the job at this moment, where that is not for want of a worker; else null.',
  },
)

export const RejectsSummary = t.Object(
  {
    count: Type.Integer({ minimum: 0, description: 'Rows that were left out.', examples: [12] }),
    by: nullable(
      t.Array(
        t.Object({
          column,
          rule,
          count: Type.Integer({ minimum: 1, description: 'Rows whose first fault this is.', examples: [12] }),
          examples: t.Array(
            t.Object({
              file,
              row,
              value: nullable(
                t.String({
                  description: 'The value, as text; null where it is null, sensitive, or not of one column.',
                  examples: ['123'],
                }),
              ),
            }),
            { description: 'The first of them, three at the most.' },
          ),
        }),
        { description: 'By column and rule, the most frequent first. Null in a list of jobs.' },
      ),
    ),
    url: t.String({
      description: 'Where the rows themselves are.',
      examples: [`/fornecedores/_bulk/${JOB_ID}/rejects`],
    }),
  },
  { description: 'The rows that were left out; null where none was. A job in `erro` may have some too.' },
)

export const RejectsQuery = t.Object(
  {
    format: t.Optional(
      oneOf(['json', 'csv', 'ndjson', 'parquet'], {
        description: 'json: pages. The others: all rows at once. The header Accept can ask for the same.',
        examples: ['csv'],
        'x-expected': 'one of json, csv, ndjson, parquet',
      }),
    ),
    limit: t.Optional(
      t.String({
        pattern: '^([1-9]|[1-9][0-9]|[1-9][0-9][0-9]|1000)$',
        description: 'Rows on a page, from 1 to 1000; 100 unless told.',
        'x-documented': { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
        'x-expected': 'a whole number from 1 to 1000',
      }),
    ),
    cursor: t.Optional(
      t.String({
        pattern: '^[A-Za-z0-9_-]{4,40}$',
        description: 'Where the page begins: the `next` of the page before it.',
        examples: ['MC4xNw'],
        'x-expected': 'the `next` of an earlier page, as it was answered',
      }),
    ),
  },
  { additionalProperties: false },
)
export type RejectsQuery = Static<typeof RejectsQuery>

export const RejectsPage = answer(
  {
    id: JobId,
    figura: FiguraName,
    rejects: t.Array(
      t.Object({
        file,
        row,
        column,
        rule,
        reason: t.String({
          description: 'What was found, and what was expected.',
          examples: ['found "123", expected a text that matches ^[0-9]{14}$'],
        }),
        faults: t.Array(
          t.Object({
            column,
            rule,
            reason: t.String({ description: 'What was found, and what was expected.' }),
          }),
          { description: 'Everything that the row breaks; the first of it stands above.' },
        ),
        record: nullable(
          t.Record(t.String(), nullable(t.String()), {
            description:
              'The row as the file has it, every value as text; without the columns that are sensitive or not ' +
              'read. Null where it is too long to be kept.',
            examples: [{ cnpj: '123' }],
          }),
        ),
      }),
      { description: 'Rows that were left out, in the order of the files.' },
    ),
    next: nullable(
      t.String({ description: 'The cursor of the next page; null on the last.', examples: ['MC4xNw'] }),
    ),
    note: nullable(
      t.String({
        description:
          'Why rows that were counted are not there: they are kept for some days, and of a job in `erro` the ' +
          'first ones; else null.',
      }),
    ),
  },
  { title: 'RejectsPage', description: 'One page of the rows that a job has left out.' },
)
export type RejectsPage = Static<typeof RejectsPage>

export const JobLog = answer(
  {
    id: JobId,
    figura: FiguraName,
    lines: t.Array(
      t.Object({
        at: t.String({ 'x-format': 'date-time', description: 'When.', examples: [CREATED] }),
        level: oneOf(['info', 'warn', 'error'], { description: 'How grave it is.', examples: ['info'] }),
        node: nullable(t.String({ description: 'The node that wrote the line.', examples: ['worker-1'] })),
        thread: count('The thread of that node.', [1]),
        attempt: Type.Integer({ minimum: 0, description: 'The attempt; 0 before the first.', examples: [1] }),
        phase: nullable(t.String({ description: 'The phase that the job was in.', examples: ['stage'] })),
        message: t.String({ description: 'What happened.', examples: ['accepted'] }),
        ms: count('How long it took.', [120]),
        data: nullable(
          t.Record(t.String(), t.Unknown(), { description: 'Further facts.', examples: [{ chunks: 8 }] }),
        ),
      }),
      { description: 'The lines, oldest first; the first is always `accepted`.' },
    ),
  },
  { title: 'JobLog', description: 'What happened to a job, by which node and thread.' },
)
export type JobLog = Static<typeof JobLog>
