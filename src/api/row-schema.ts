import { typeName } from '../figura/type-names.ts'
import type { Column, ColumnType, Figura } from '../figura/types.ts'

/**
 * One row of a figura's files, as a schema for the documentation: the columns under their names in the file.
 */
export function rowSchema(figura: Figura): Record<string, unknown> {
  const { name, description, table, key, columns } = figura
  const lines = columns.map(
    (column) =>
      `| ${column.name} | ${typeName(column.type)} | ${column.required ? 'yes' : ''} | ${column.from} |`,
  )
  const intro = `${description}\n\nTable ${table.schema}.${table.name}, key (${key.join(', ')}).`
  const columnTable = ['| column | type | required | from |', '|---|---|---|---|', ...lines].join('\n')
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
