import { typeName } from '../figura/type-names.ts'
import { type Column, type ColumnType, type Figura, loadOf, tableName } from '../figura/types.ts'
import { rulesInWords } from './contract-view.ts'
import { markdownTable } from './markdown.ts'

/**
 * One row of a figura's files, as a schema for the documentation: the columns under their names in the file.
 */
export function rowSchema(figura: Figura): Record<string, unknown> {
  const { name, description, key, columns } = figura
  const rows = columns.map((column) => [
    column.name,
    typeName(column.type),
    column.required ? 'yes' : '',
    column.expr === undefined ? column.from : '',
    rulesInWords(column),
  ])
  const { mode, allow } = loadOf(figura)
  const modes = allow.filter((one) => one !== mode)
  const loaded = `Loaded by ${mode}${modes.length ? `; ${modes.join(', ')} may be asked for` : ''}.`
  const keyed = key.length ? `key (${key.join(', ')})` : 'no key'
  const intro = `${description}\n\nTable ${tableName(figura)}, ${keyed}. ${loaded}`
  const inFile = columns.filter(({ expr }) => expr === undefined)
  const columnTable = markdownTable(['column', 'type', 'required', 'from', 'rules'], rows)
  return {
    title: `A row of ${name}`,
    description: `${intro}\n\n${columnTable}`,
    type: 'object',
    required: inFile
      .filter(({ required, default: preset }) => required && preset === undefined)
      .map((one) => one.from),
    properties: Object.fromEntries(inFile.map((column) => [column.from, columnSchema(column)])),
  }
}

function columnSchema(column: Column): Record<string, unknown> {
  const { name, type, required, from } = column
  const renamed = from === name ? '' : `, becomes ${name}`
  const { type: jsonType, ...rest } = jsonSchema(type)
  return {
    description: `${typeName(type)}${renamed}${required ? ', required' : ''}`,
    ...(jsonType === undefined ? {} : { type: required ? jsonType : [jsonType, 'null'] }),
    ...rest,
    ...ruleSchema(column),
  }
}

/** The rules that a schema can say too. */
function ruleSchema({ pattern, enum: values, min, max, maxLength, default: preset, required }: Column) {
  const numbers = (name: string, value: unknown) => (typeof value === 'number' ? { [name]: value } : {})
  return {
    ...(pattern === undefined ? {} : { pattern }),
    ...(values === undefined ? {} : { enum: required ? values : [...values, null] }),
    ...numbers('minimum', min),
    ...numbers('maximum', max),
    ...numbers('maxLength', maxLength),
    ...(preset === undefined ? {} : { default: preset }),
  }
}

function jsonSchema(type: ColumnType): { type?: string; [key: string]: unknown } {
  switch (type.kind) {
    case 'array':
      return { type: 'array', items: jsonSchema(type.of) }
    case 'boolean':
      return { type: 'boolean' }
    case 'smallint':
    case 'integer':
    case 'bigint':
      return { type: 'integer' }
    case 'real':
    case 'double precision':
    case 'numeric':
      return { type: 'number' }
    case 'varchar':
    case 'char':
      return { type: 'string', maxLength: type.length }
    case 'date':
    case 'uuid':
      return { type: 'string', format: type.kind }
    case 'timestamp':
    case 'timestamptz':
      return { type: 'string', format: 'date-time' }
    case 'bytea':
      return { type: 'string', contentEncoding: 'base64' }
    case 'jsonb':
      return {}
    default:
      return { type: 'string' }
  }
}
