import { type ObjectOptions, type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { PLAIN_KINDS } from './types.ts'

/**
 * What may stand in `figuras/<name>.yaml`, written once: it checks the files, describes them in the API's
 * documentation, and (as figuras/figura.schema.json) helps in editors. Every file has these parts in this
 * order.
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
    key: Type.Array(Type.String({ minLength: 1 }), {
      description:
        'The columns that together name one row. A row of the file replaces the row of the table with the ' +
        'same key. No part of a key may be null, jsonb or an array.',
      examples: [['id'], ['filial', 'codigo']],
      minItems: 1,
      uniqueItems: true,
    }),
    columns: mapping(columnFile(), {
      description: 'The columns of the table that files fill, under their names in the table.',
      examples: [{ id: { type: 'bigint' }, uf: { type: 'char(2)', from: 'estado' } }],
      minProperties: 1,
      maxProperties: 1600, // the most that a PostgreSQL table can have
    }),
    load: Type.Optional(
      closed(
        {
          mode: Type.Optional(
            Type.Literal('merge', {
              description: 'merge: new keys are inserted, changed rows updated, equal rows left alone.',
              default: 'merge',
            }),
          ),
        },
        { description: 'How rows come into the table.' },
      ),
    ),
    sources: Type.Array(Type.String({ minLength: 1 }), {
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

function columnFile() {
  return closed(
    {
      type: Type.String({
        description:
          "The column's type, under PostgreSQL's name. An array of text or numbers is written as text[].",
        examples: ['bigint', 'numeric(15,2)', 'varchar(200)', 'timestamptz', 'text[]'],
        // for editors, which offer the names; parseType() gives the verdict, with a better sentence
        anyOf: [
          { enum: [...PLAIN_KINDS] },
          { pattern: '^(numeric|varchar|char)\\s*\\(' },
          { pattern: '\\[\\]$' },
        ],
      }),
      required: Type.Optional(
        Type.Boolean({
          description:
            'No row may have a null here, and every file must have the column. Key columns always are.',
          default: false,
        }),
      ),
      from: Type.Optional(
        Type.String({
          description: 'The name of the column in the file, where it is not the name in the table.',
          examples: ['estado'],
          minLength: 1,
        }),
      ),
    },
    { description: 'One column.' },
  )
}

/** A mapping that has these keys and no others. */
function closed<P extends TProperties>(properties: P, options: ObjectOptions) {
  return Type.Object(properties, { ...options, additionalProperties: false })
}

/** A mapping from any names to one kind of value. */
function mapping<S extends TSchema>(value: S, options: ObjectOptions) {
  return Type.Unsafe<Record<string, Static<S>>>(Type.Object({}, { ...options, additionalProperties: value }))
}
