import { Type } from '@sinclair/typebox'
import { type Static, t } from 'elysia'
import { DUPLICATES, MODES } from '../figura/types.ts'
import { Paused } from './life-schemas.ts'
import { answer, nullable, oneOf } from './schema-parts.ts'

/** What the API says about figuras. See schema-parts.ts. */

const FiguraError = t.Object(
  {
    file: t.String({ description: 'The file in the folder of figuras.', examples: ['produtos.yaml'] }),
    line: Type.Integer({ minimum: 1, description: 'The line, counted from 1.', examples: [7] }),
    column: t.Optional(
      Type.Integer({ minimum: 1, description: 'The column, counted from 1.', examples: [12] }),
    ),
    found: t.String({ description: 'What stands there.', examples: ['the type "inteiro"'] }),
    expected: t.String({ description: 'What should.', examples: ['one of boolean, smallint, integer …'] }),
    message: t.String({ description: 'All of it in one sentence.' }),
  },
  { title: 'FiguraError', description: 'One error in the file of a figura.' },
)

const Links = t.Object(
  {
    self: t.String({ description: 'The figura itself.', examples: ['/figuras/fornecedores'] }),
    bulk: t.String({
      description: 'PUT sends a file there, GET lists the jobs.',
      examples: ['/fornecedores/_bulk'],
    }),
  },
  { description: 'Addresses of the figura.' },
)

const Name = t.String({
  description: 'The name of the figura: its file without .yaml.',
  examples: ['fornecedores'],
})
const Table = t.String({ description: 'The table that is loaded.', examples: ['cadastro.fornecedores'] })
const Description = t.String({ description: 'What one row is.', examples: ['Cadastro de fornecedores'] })
const Key = t.Array(t.String(), { description: 'The columns that name a row.', examples: [['id']] })

export const FiguraList = answer(
  {
    figuras: t.Array(
      t.Object({
        name: Name,
        ok: t.Boolean({
          description: 'False when its file has errors: then nothing can be sent to it.',
          examples: [true],
        }),
        description: nullable(Description),
        table: nullable(Table),
        key: nullable(Key),
        columns: nullable(Type.Integer({ minimum: 1, description: 'Number of columns.', examples: [9] })),
        errors: t.Array(FiguraError, { description: 'What is wrong with the file.' }),
        links: Links,
      }),
      { description: 'All figuras, by name; what is not known of a broken one is null.' },
    ),
  },
  { title: 'FiguraList', description: 'What can be sent.' },
)
export type FiguraList = Static<typeof FiguraList>

const Whole = (description: string, example: number) =>
  Type.Integer({ minimum: 0, description, examples: [example] })

const ExtraColumn = t.String({
  description: 'The jsonb column that they are gathered in.',
  examples: ['outros'],
})

const Literal = t.Union([t.String(), t.Number(), t.Boolean()])
const rule = (description: string, example: unknown) =>
  t.Optional(t.Union([t.String(), t.Number(), t.Boolean()], { description, examples: [example] }))

/** What does not apply to a column is absent. */
const FiguraColumn = t.Object({
  name: t.String({ description: 'Its name in the table.', examples: ['uf'] }),
  type: t.String({ description: "Its type, under PostgreSQL's name.", examples: ['char(2)'] }),
  required: t.Boolean({ description: 'Whether a null is refused.', examples: [false] }),
  from: t.String({ description: 'Its name in the file.', examples: ['estado'] }),
  aliases: t.Optional(
    t.Array(t.String(), {
      description: 'Other names that it may have there; the first that the file has counts.',
      examples: [['uf']],
    }),
  ),
  expr: t.Optional(
    t.String({
      description: 'A DuckDB expression over the columns of the file, in place of `from`.',
      examples: ['upper(trim(uf))'],
    }),
  ),
  null_if: t.Optional(
    t.Array(t.String(), { description: 'Texts that stand for null.', examples: [['', '-']] }),
  ),
  default: rule('Takes the place of a null.', 'SP'),
  pattern: t.Optional(
    t.String({ description: 'Part of the text has to match (RE2).', examples: ['^[A-Z]{2}$'] }),
  ),
  enum: t.Optional(
    t.Array(Literal, { description: 'The values that it may have.', examples: [['AC', 'SP']] }),
  ),
  min: rule('The least value.', 0),
  max: rule('The greatest value.', 1_000_000),
  max_length: t.Optional(Whole('Characters of the text, at the most.', 40)),
  check: t.Optional(
    t.String({ description: 'A DuckDB condition; false refuses the row.', examples: ['limite <> 13'] }),
  ),
  sensitive: t.Optional(t.Boolean({ description: 'Its values are never shown.', examples: [true] })),
  missing: t.Optional(
    oneOf(['keep', 'fill'], {
      description: 'Where the file lacks it: keep what the table has, or fill in the default or null.',
      examples: ['keep'],
    }),
  ),
  only_insert: t.Optional(
    t.Boolean({ description: 'Written with a new row, and never updated.', examples: [true] }),
  ),
})

const FiguraLoad = t.Object(
  {
    mode: oneOf(MODES, {
      description: 'What loading means, unless a request says otherwise.',
      examples: ['merge'],
    }),
    allow: t.Array(t.String(), {
      description: 'The modes that a request may ask for.',
      examples: [['merge', 'replace']],
    }),
    version: nullable(
      t.String({
        description: 'The column that tells which row is newer: an older one overwrites nothing.',
        examples: ['atualizado_em'],
      }),
    ),
    duplicates: oneOf(DUPLICATES, {
      description: 'Which of the rows of a file with the same key counts; refuse: such a file is not loaded.',
      examples: ['refuse'],
    }),
    scope: t.Array(t.String(), {
      description:
        'In mode replace, only rows with values of these columns that the file has may go. Empty: any.',
      examples: [['filial']],
    }),
    max_delete_percent: t.Number({
      description: 'In mode replace, no greater share of the rows may go.',
      examples: [50],
    }),
    delete_marker: nullable(
      t.Object({
        from: t.String({
          description: 'The column of the file that says that a row is gone.',
          examples: ['excluido'],
        }),
        how: oneOf(['hard', 'soft'], {
          description: 'hard: the row is deleted. soft: it stays, with the time of it.',
          examples: ['hard'],
        }),
        at: t.Optional(
          t.String({ description: 'The column that the time goes into.', examples: ['excluido_em'] }),
        ),
      }),
    ),
    history: t.Boolean({ description: 'Whether all versions of a row are kept.', examples: [false] }),
    audit: t.Object(
      {
        loaded_at: nullable(
          t.String({ description: 'The one for the time of the load.', examples: ['carregado_em'] }),
        ),
        job_id: nullable(t.String({ description: 'The one for the job.', examples: ['carga_id'] })),
      },
      { description: 'Columns of the table that the service fills with each row that it writes.' },
    ),
  },
  { description: 'What loading means.' },
)

export const FiguraView = answer(
  {
    name: Name,
    description: Description,
    table: Table,
    key: Key,
    columns: t.Array(FiguraColumn, { description: 'The columns, in the order of the file.' }),
    checks: t.Record(t.String(), t.String(), {
      description: 'Conditions that every row has to meet, as DuckDB expressions over the columns, by name.',
      examples: [{ vigencia: 'inicio <= fim' }],
    }),
    extra: t.Union([t.Literal('ignore'), t.Literal('refuse'), t.Object({ keep: ExtraColumn })], {
      description: 'What becomes of columns that only the file has.',
      examples: ['ignore'],
    }),
    load: FiguraLoad,
    rejects: t.Object(
      {
        max_rows: nullable(Whole('Rows; null: any number.', 0)),
        max_percent: nullable(
          t.Number({ description: 'Of the rows read; null: any share.', examples: [null] }),
        ),
      },
      { description: 'How many rows may be left out, where the rest is loaded.' },
    ),
    limits: t.Object(
      {
        max_bytes: nullable(Whole('Bytes of a file; null: what the service takes.', 500_000_000)),
        max_rows: nullable(Whole('Rows of a file; null: what the service takes.', 1_000_000)),
        max_seconds: nullable(
          Whole('From when a worker first has a job to its end; null: what the service grants.', 7200),
        ),
      },
      { description: 'What a file may have.' },
    ),
    csv: t.Object(
      {
        delimiter: t.String({ description: 'What stands between two fields.', examples: [';'] }),
        quote: t.String({ description: 'What a field may stand in; empty: nothing.', examples: ['"'] }),
        null: t.String({ description: 'The text that stands for null.', examples: [''] }),
        decimal: oneOf(['.', ','], { description: 'What stands before the fraction.', examples: [','] }),
      },
      { description: 'How CSV files are written.' },
    ),
    paused: nullable(Paused),
    sources: t.Array(t.String(), {
      description: 'Where files may come from: prefixes of addresses.',
      examples: [['s3://exportacoes/fornecedores/']],
    }),
    contract: t.String({
      description: 'A name for this version of the figura.',
      examples: ['5f0c7a1e9b3d42668c1f'],
    }),
    links: Links,
    example: t.Object(
      {
        url: t.String({
          description: 'An address as it may be sent.',
          examples: ['s3://exportacoes/fornecedores/x.parquet'],
        }),
        curl: t.String({ description: 'A command that sends it.' }),
      },
      { description: 'How to send a file.' },
    ),
  },
  { title: 'Figura', description: 'The contract of one entity type.' },
)
export type FiguraView = Static<typeof FiguraView>
