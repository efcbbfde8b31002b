import { typeName } from '../figura/type-names.ts'
import { type Column, type ColumnType, type Figura, tableName } from '../figura/types.ts'
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
    column.from,
  ])
  const intro = `${description}\n\nTable ${tableName(figura)}, key (${key.join(', ')}).`
  const columnTable = markdownTable(['column', 'type', 'required', 'from'], rows)
  return {
    title: `A row of ${name}`,
    description: `${intro}\n\n${columnTable}`,
    type: 'object',
    required: columns.filter((column) => column.required).map((column) => column.from),
    properties: Object.fromEntries(columns.map((column) => [column.from, columnSchema(column)])),
  }
}

function columnSchema({ name, type, required, from }: Column): Record<string, unknown> {
  const renamed = from === name ? '' : `, becomes ${name}`
  const { type: jsonType, ...rest } = jsonSchema(type)
  return {
    description: `${typeName(type)}${renamed}${required ? ', required' : ''}`,
    ...(jsonType === undefined ? {} : { type: required ? jsonType : [jsonType, 'null'] }),
    ...rest,
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
