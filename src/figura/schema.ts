import { type Static, Type } from '@sinclair/typebox'
import { columnFile } from './schema-column.ts'
import { closed, expression, mapping, name } from './schema-kinds.ts'
import { loadFile } from './schema-load.ts'

/**
 * What may stand in `figuras/<name>.yaml`, written once: it checks the files, describes them in the API's
 * documentation, and (as figuras/figura.schema.json) helps in editors. Every file has its parts in this order.
 */
export const FiguraFile = closed(
  {
    description: Type.String({
      description: 'What one row is, in a sentence for the people who export and load it.',
      examples: ['Cadastro de fornecedores'],
      minLength: 1,
      maxLength: 1000,
    }),
    table: Type.String({
      description:
        'The target table: schema.table, or a table of the schema public. It is created on first use when ' +
        'it does not exist, and compared with the columns below when it does.',
      examples: ['cadastro.fornecedores'],
      minLength: 1,
    }),
    key: Type.Optional(
      Type.Array(name(), {
        description:
          'The columns that together name one row. A row of the file replaces the row of the table with the ' +
          'same key. No part of a key may be null, jsonb or an array. Only figuras that do nothing but ' +
          'append may go without.',
        examples: [['id'], ['filial', 'codigo']],
        uniqueItems: true,
      }),
    ),
    columns: mapping(columnFile(), {
      description: 'The columns of the table that files fill, under their names in the table.',
      examples: [{ id: { type: 'bigint' }, uf: { type: 'char(2)', from: 'estado' } }],
      minProperties: 1,
      maxProperties: 1600, // the most that a PostgreSQL table can have
    }),
    checks: Type.Optional(
      mapping(expression({}), {
        description:
          'Boolean DuckDB expressions over the columns of this figura, by a name that errors show. A row for ' +
          'which one is false is refused; null refuses nothing.',
        examples: [{ vigencia: 'inicio <= fim' }],
        minProperties: 1,
        maxProperties: 100,
      }),
    ),
    extra: Type.Optional(extraFile()),
    load: Type.Optional(loadFile()),
    rejects: Type.Optional(rejectsFile()),
    limits: Type.Optional(limitsFile()),
    csv: Type.Optional(csvFile()),
    sources: Type.Array(name(), {
      description:
        'Where files may come from: prefixes of URLs. Nothing else is fetched. A prefix ends at a "/" or at ' +
        'the end of a segment: s3://bucket/exports admits s3://bucket/exports/a.parquet, and not ' +
        's3://bucket/exports-old/a.parquet.',
      examples: [['s3://exportacoes/fornecedores/', 'https://arquivos.exemplo.com.br/fornecedores/']],
      minItems: 1,
      maxItems: 100,
    }),
  },
  {
    title: 'Figura',
    description: 'The contract of one entity type: its table, its columns, and where its files come from.',
  },
)

export type FiguraFile = Static<typeof FiguraFile>

/**
 * The schema of a figura file as JSON Schema draft 7, the draft that every editor's YAML support understands.
 */
export function figuraJsonSchema(): Record<string, unknown> {
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...JSON.parse(JSON.stringify(FiguraFile)) }
}

function extraFile() {
  const keep = name({
    description:
      'The jsonb column of the table that takes them; the service adds it, columns does not list it.',
    examples: ['outros'],
  })
  return Type.Union(
    [
      Type.Literal('ignore'),
      Type.Literal('refuse'),
      closed({ keep }, { description: 'They are gathered in one column.', examples: [{ keep: 'outros' }] }),
    ],
    { description: 'What happens to columns that only the file has.', default: 'ignore' },
  )
}

function rejectsFile() {
  return closed(
    {
      max_rows: Type.Optional(Type.Integer({ description: 'So many rows.', minimum: 0, examples: [100] })),
      max_percent: Type.Optional(
        Type.Number({ description: 'This share of the rows.', minimum: 0, maximum: 100, examples: [1] }),
      ),
    },
    {
      description:
        'How many rows that break a rule may be left out, where the rest is loaded. Both bounds hold; the one ' +
        'that is not given is none. Without this part no row may.',
      examples: [{ max_rows: 100, max_percent: 1 }],
    },
  )
}

function limitsFile() {
  return closed(
    {
      max_bytes: Type.Optional(
        Type.Integer({ description: 'Of all files of a load.', minimum: 1, examples: [500_000_000] }),
      ),
      max_rows: Type.Optional(
        Type.Integer({ description: 'Of all files of a load.', minimum: 1, examples: [1_000_000] }),
      ),
      max_duration: Type.Optional(
        Type.String({
          description: 'How long a job may take from when a worker first has it: 90s, 15m, 2h, 1d.',
          pattern: '^[1-9][0-9]{0,4}[smhd]$',
          examples: ['2h'],
        }),
      ),
    },
    { description: 'Larger loads are refused.', examples: [{ max_rows: 1_000_000 }] },
  )
}

function csvFile() {
  const nullText = Type.String({
    description: 'The text that stands for null.',
    default: '',
    maxLength: 100,
  })
  return closed(
    {
      delimiter: Type.Optional(
        Type.String({ description: 'Between two values: one character.', default: ',' }),
      ),
      quote: Type.Optional(
        Type.String({ description: 'Around a value: one character, or none.', default: '"' }),
      ),
      null: Type.Optional(nullText),
      decimal: Type.Optional(
        Type.Union([Type.Literal('.'), Type.Literal(',')], {
          description: 'What stands before the decimals of a number.',
          default: '.',
        }),
      ),
    },
    {
      description: 'How CSV files are written.',
      examples: [{ delimiter: ';', decimal: ',' }],
      // editors read the plain key as YAML's null: it is not among the properties for them (yaml-language-server)
      patternProperties: { '^null$': nullText },
    },
  )
}
