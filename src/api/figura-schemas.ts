import { Type } from '@sinclair/typebox'
import { type Static, t } from 'elysia'
import { answer, nullable } from './schema-parts.ts'

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

export const FiguraView = answer(
  {
    name: Name,
    description: Description,
    table: Table,
    key: Key,
    columns: t.Array(
      t.Object({
        name: t.String({ description: 'Its name in the table.', examples: ['uf'] }),
        type: t.String({ description: "Its type, under PostgreSQL's name.", examples: ['char(2)'] }),
        required: t.Boolean({ description: 'Whether a null is refused.', examples: [false] }),
        from: t.String({ description: 'Its name in the file.', examples: ['estado'] }),
      }),
      { description: 'The columns, in the order of the file.' },
    ),
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
