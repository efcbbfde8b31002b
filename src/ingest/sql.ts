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

/** Columns of the stage that are not the table's: the place of a row in its job, and whether the file calls it gone. */
export const ROW_COLUMN = '_bulk_row'
export const GONE_COLUMN = '_bulk_gone'

/** More rows than a file has: the place of a row is the number of its file times this, and its number in the file. */
export const FILE_ROWS = 2 ** 40
