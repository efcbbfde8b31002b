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

/**
 * One column of a figura. What is absent does not apply; rules hold for values that are not null, as they are after
 * `expr`, `nullIf` and `default`.
 */
export type Column = {
  name: string
  type: ColumnType
  required: boolean
  /** Its name in the file. */
  from: string
  /** Other names that it may have there; the first that the file has counts. */
  aliases?: string[]
  /** A DuckDB expression over the columns of the file, which gives the value in place of `from`. */
  expr?: string
  /** Values of the file, as texts, that stand for null. */
  nullIf?: string[]
  /** Takes the place of a null. */
  default?: Literal
  /** Part of the text has to match (RE2); for texts. */
  pattern?: string
  enum?: Literal[]
  min?: Literal
  max?: Literal
  /** Of a text, in characters. */
  maxLength?: number
  /** A boolean DuckDB expression over the columns of the figura; false refuses the row, null does not. */
  check?: string
  /** Its values are never shown: neither in messages nor in rejects nor in samples. */
  sensitive?: boolean
  /** When the file lacks the column: `keep` what the table has (the default), or `fill` in the default or null. */
  missing?: 'keep' | 'fill'
  /** Written when a row is inserted, and never updated. */
  onlyInsert?: boolean
}

/** A value as a figura file writes it. */
export type Literal = string | number | boolean

/**
 * What loading means.
 * - merge: new keys are inserted, changed rows updated.
 * - append: every row is inserted.
 * - insert: rows with a new key are inserted, the others left alone.
 * - replace: as merge, and what the file lacks is deleted (all of the table, or the slices of `scope`).
 * - delete: rows with a key of the file are deleted.
 */
export const MODES = ['merge', 'append', 'insert', 'replace', 'delete'] as const
export type Mode = (typeof MODES)[number]

/**
 * Which of the rows with one key counts. `refuse`: such a file is not loaded. `newest`: by `version`, of equal ones
 * the last.
 */
export const DUPLICATES = ['refuse', 'first', 'last', 'newest'] as const
export type Duplicates = (typeof DUPLICATES)[number]

export type Load = {
  mode: Mode
  /** Modes that a request may ask for; the mode above is always among them. */
  allow: Mode[]
  /** The column that tells which of two rows is newer: an older one never overwrites a newer one. */
  version?: string
  duplicates: Duplicates
  /** In mode replace: only rows whose values of these columns occur in the file are deleted. Empty: any. */
  scope: string[]
  /** In mode replace: of the table's rows (within the scope), deletes of a greater share are refused. */
  maxDeletePercent: number
  /** A boolean column of the file, by its name there, that says that the row is gone. */
  deleteMarker?: DeleteMarker
  /** Every version of every row is kept in `<table>_history`. */
  history: boolean
  /** Columns of the table that the service fills, by their names there. */
  audit: { loadedAt?: string; jobId?: string }
}

/** `hard`: the row is deleted. `soft`: it stays, and the time goes into the column `at` of the table (timestamptz). */
export type DeleteMarker = { from: string; how: 'hard' } | { from: string; how: 'soft'; at: string }

/** What happens to columns that only the file has. `keep`: they are gathered as jsonb in that column of the table. */
export type Extra = 'ignore' | 'refuse' | { keep: string }

/** How many rows may be left out, where the rest is loaded; null: any number. Absent: none. */
export type Rejects = { maxRows: number | null; maxPercent: number | null }

/** How CSV files of the figura are written. */
export type Csv = { delimiter: string; quote: string; nullText: string; decimal: '.' | ',' }

/**
 * The contract of one entity type, as read from `figuras/<name>.yaml`. Plain data: it is stored with the job (as JSON)
 * and crosses threads, so that a job is loaded by the contract it was accepted under, on whatever node.
 */
export type Figura = {
  name: string
  description: string
  table: { schema: string; name: string }
  /** Empty where nothing but `append` is done. */
  key: string[]
  columns: Column[]
  /** Boolean DuckDB expressions over the columns, by a name that errors show; false refuses the row. */
  checks?: Record<string, string>
  extra?: Extra
  load?: Load
  rejects?: Rejects
  limits?: { maxBytes?: number; maxRows?: number; maxSeconds?: number }
  csv?: Csv
  /** Prefixes of the URLs that a file may come from; nothing else is fetched. */
  sources: string[]
}

/** How a figura loads, where its file does not say otherwise. */
const MERGE: Load = {
  mode: 'merge',
  allow: ['merge'],
  duplicates: 'refuse',
  scope: [],
  maxDeletePercent: 50,
  history: false,
  audit: {},
}

/** How a figura loads. */
export function loadOf({ load }: Pick<Figura, 'load'>): Load {
  return load ?? MERGE
}

/** How many rows may be left out of a load; none unless the figura says so. */
export function rejectsOf({ rejects }: Pick<Figura, 'rejects'>): Rejects {
  return rejects ?? { maxRows: 0, maxPercent: null }
}

/** How CSV files are written, unless the figura says otherwise. */
export function csvOf({ csv }: Pick<Figura, 'csv'>): Csv {
  return csv ?? { delimiter: ',', quote: '"', nullText: '', decimal: '.' }
}

/** The figura's table in words; no SQL identifier, for which names would need quotes. */
export function tableName({ table }: Pick<Figura, 'table'>): string {
  return `${table.schema}.${table.name}`
}
