/** The scalar PostgreSQL types without parameters that a column can have, under the names a figura uses. */
export const PLAIN_KINDS = [
  'boolean',
  'smallint',
  'integer',
  'bigint',
  'real',
  'double precision',
  'text',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'bytea',
  'jsonb',
] as const

export type PlainKind = (typeof PLAIN_KINDS)[number]

export type ScalarType =
  | { kind: PlainKind }
  | { kind: 'numeric'; precision: number; scale: number }
  | { kind: 'varchar' | 'char'; length: number }

export type ColumnType = ScalarType | { kind: 'array'; of: ScalarType }

/** One column of a figura. `from` is its name in the file. */
export type Column = { name: string; type: ColumnType; required: boolean; from: string }

/**
 * The contract of one entity type, as read from `figuras/<name>.yaml`. Plain data: it is stored with the job (as JSON)
 * and crosses threads, so that a job is loaded by the contract it was accepted under, on whatever node.
 */
export type Figura = {
  name: string
  description: string
  table: { schema: string; name: string }
  key: string[]
  columns: Column[]
  /** Prefixes of the URLs that a file may come from; nothing else is fetched. */
  sources: string[]
}

/** The figura's table in words; no SQL identifier, for which names would need quotes. */
export function tableName({ table }: Pick<Figura, 'table'>): string {
  return `${table.schema}.${table.name}`
}
