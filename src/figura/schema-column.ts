import { Type } from '@sinclair/typebox'
import { closed, expression, literal, name } from './schema-kinds.ts'
import { PLAIN_KINDS } from './types.ts'

/** One column, as a figura file describes it. */
export function columnFile() {
  return closed({ ...valueFile(), ...ruleFile(), ...writeFile() }, { description: 'One column.' })
}

/** Where a value comes from. */
function valueFile() {
  return {
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
      Type.Union([name(), Type.Array(name(), { minItems: 1, uniqueItems: true, maxItems: 100 })], {
        description:
          'The name of the column in the file, where it is not the name in the table. Of a list of names ' +
          'the first that the file has counts.',
        examples: ['estado', ['estado', 'uf']],
      }),
    ),
    expr: Type.Optional(
      expression({
        description:
          'The value, as a DuckDB expression over the columns of the file, in place of one column of it.',
        examples: ['upper(trim(nome_bruto))'],
      }),
    ),
    null_if: Type.Optional(
      Type.Array(Type.Union([Type.String(), Type.Number()]), {
        description: 'Values of the file that stand for null, as the texts that they are there.',
        examples: [['', '-', 'N/A']],
        minItems: 1,
        maxItems: 100,
      }),
    ),
    default: Type.Optional(
      literal({ description: 'What a null becomes. Not for key columns.', examples: ['SP', 0, false] }),
    ),
  }
}

/** What a value has to be. Nulls are a matter of `required` alone. */
function ruleFile() {
  return {
    pattern: Type.Optional(
      Type.String({
        description:
          'A regular expression (RE2: without lookaround and backreferences) that part of the text has to ' +
          'match; ^ and $ make it the whole.',
        examples: ['^[0-9]{14}$'],
        minLength: 1,
        maxLength: 1000,
      }),
    ),
    enum: Type.Optional(
      Type.Array(literal(), {
        description: 'The only values there are.',
        examples: [['AC', 'AL', 'AM']],
        minItems: 1,
        maxItems: 1000,
      }),
    ),
    min: Type.Optional(
      literal({
        description: 'The least value; for numbers, dates and timestamps.',
        examples: [0, '2000-01-01'],
      }),
    ),
    max: Type.Optional(
      literal({
        description:
          'The greatest value. A number that YAML would round stands in quotes, as do dates by custom.',
        examples: [1_000_000, '9007199254740993'],
      }),
    ),
    max_length: Type.Optional(
      Type.Integer({
        description: 'The most characters that a text may have.',
        examples: [200],
        minimum: 1,
        maximum: 1_000_000_000,
      }),
    ),
    check: Type.Optional(
      expression({
        description:
          'A boolean DuckDB expression over the columns of this figura. A row for which it is false is ' +
          'refused; null refuses nothing.',
        examples: ['limite <> 13'],
      }),
    ),
  }
}

/** What is done with a value, and what is shown of it. */
function writeFile() {
  return {
    sensitive: Type.Optional(
      Type.Boolean({
        description: 'Its values are never shown: not in messages, nor among rejected rows, nor in samples.',
        default: false,
      }),
    ),
    missing: Type.Optional(
      Type.Union([Type.Literal('keep'), Type.Literal('fill')], {
        description:
          'What a file without the column means for rows that the table has: their value is kept, or ' +
          'filled with the default (or null).',
        default: 'keep',
      }),
    ),
    only_insert: Type.Optional(
      Type.Boolean({
        description: 'Written when a row comes into the table, and never changed after. Not for key columns.',
        default: false,
      }),
    ),
  }
}
