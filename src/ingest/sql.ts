import type { ColumnType } from '../figura/types.ts'

/** The DuckDB type that a column is cast to. The encoder relies on its layout in memory. */
export function duckType(type: ColumnType): string {
  switch (type.kind) {
    case 'array':
      return `${duckType(type.of)}[]`
    case 'numeric':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'real':
      return 'FLOAT'
    case 'double precision':
      return 'DOUBLE'
    case 'bytea':
      return 'BLOB'
    case 'text':
    case 'varchar':
    case 'char':
    case 'jsonb':
      return 'VARCHAR'
    default:
      return type.kind.toUpperCase()
  }
}
