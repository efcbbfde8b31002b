import type { Duplicates, Mode } from '../../src/figura/types.ts'

/** A figura as the model knows it: key (id), a scope column, texts and numbers, and what loading means. */
export type Contract = {
  version: boolean
  duplicates: Duplicates
  marker: 'none' | 'hard' | 'soft'
  /** Rows that may be left out. */
  rejects: 'none' | 'two' | 'any'
  nameRequired: boolean
  createdOnlyInsert: boolean
  nameMissing: 'keep' | 'fill'
  scope: boolean
  maxDeletePercent: number
}

export type Row = {
  id: number | null
  grupo: number | null
  nome: string | null
  n: number | null
  versao: number | null
  criado: string | null
}
export type FileRow = Row & { excluido: boolean | null }

/** Columns of the figura that a file may lack. */
export const OPTIONAL = ['grupo', 'nome', 'n', 'versao', 'criado'] as const
export type Optional = (typeof OPTIONAL)[number]

/** What is sent: rows in their order, the columns that the files lack, and the mode. */
export type Sent = { mode: Mode; rows: FileRow[]; lacks: Optional[] }

export type TableRow = Row & { id: number; gone: boolean }
export type Table = Map<number, TableRow>

const COUNTS = {
  read: 0,
  rejected: 0,
  duplicates: 0,
  staged: 0,
  inserted: 0,
  updated: 0,
  unchanged: 0,
  stale: 0,
  deleted: 0,
  removed: 0,
}
export type Stats = typeof COUNTS

/** The table and the statistics after a job, or null where the job has to end in erro; `table` is left alone. */
export function applyJob(
  contract: Contract,
  table: Table,
  sent: Sent,
): { table: Table; stats: Stats } | null {
  const stats = { ...COUNTS, read: sent.rows.length }
  const fit = sent.rows.filter((row) => !isBroken(contract, row, sent))
  stats.rejected = sent.rows.length - fit.length
  if (stats.rejected > { none: 0, two: 2, any: Infinity }[contract.rejects]) return null
  const staged = sent.mode === 'append' ? fit : distinct(contract, fit, sent)
  if (!staged) return null
  stats.duplicates = fit.length - staged.length
  stats.staged = staged.length
  const next: Table = new Map([...table].map(([id, row]) => [id, { ...row }]))
  if (sent.mode === 'replace') {
    const removed = lacking(contract, table, staged)
    if (!removed) return null
    for (const id of removed) next.delete(id)
    stats.removed = removed.length
  }
  for (const row of staged) {
    const outcome = applyRow(contract, next, row, sent)
    if (!outcome) return null
    stats[outcome]++
  }
  return { table: next, stats }
}

function isBroken({ nameRequired }: Contract, row: FileRow, { mode, lacks }: Sent): boolean {
  if (row.id === null) return true
  // a file of keys is read for its keys alone
  if (mode === 'delete') return false
  if (nameRequired && row.nome === null) return true
  return !lacks.includes('n') && row.n !== null && row.n < 0
}

/** One row for each key, or null where that is refused. */
function distinct({ duplicates }: Contract, rows: FileRow[], { mode, lacks }: Sent): FileRow[] | null {
  const kept = new Map<number | null, FileRow>()
  const versionOf = (row: FileRow) => (mode === 'delete' || lacks.includes('versao') ? null : row.versao)
  for (const row of rows) {
    const known = kept.get(row.id)
    if (known && duplicates === 'refuse') return null
    if (known && duplicates === 'first') continue
    if (known && duplicates === 'newest' && isOlder(versionOf(row), versionOf(known))) continue
    kept.set(row.id, row)
  }
  return [...kept.values()]
}

/** Nothing is older than any version. */
function isOlder(one: number | null, other: number | null): boolean {
  return other !== null && (one === null || one < other)
}

/** The ids of the table that a replacement deletes, or null where those are too many. */
function lacking({ scope, maxDeletePercent }: Contract, table: Table, staged: FileRow[]): number[] | null {
  const ids = new Set(staged.map(({ id }) => id))
  const groups = new Set(staged.map(({ grupo }) => grupo))
  const within = [...table.values()].filter(({ grupo }) => !scope || groups.has(grupo))
  const lost = within.filter(({ id }) => !ids.has(id))
  return lost.length * 100 > maxDeletePercent * within.length ? null : lost.map(({ id }) => id)
}

type Outcome = 'inserted' | 'updated' | 'unchanged' | 'stale' | 'deleted'

function applyRow(contract: Contract, table: Table, row: FileRow, sent: Sent): Outcome | null {
  const id = row.id ?? 0
  const known = table.get(id)
  const gone = contract.marker !== 'none' && row.excluido === true
  if (sent.mode === 'delete') return table.delete(id) ? 'deleted' : 'unchanged'
  if (!known) {
    if (gone) return 'unchanged'
    table.set(id, { ...withoutLacking(row, sent), id, gone: false })
    return 'inserted'
  }
  if (sent.mode === 'append') return gone ? 'unchanged' : null
  if (sent.mode === 'insert') return 'unchanged'
  const version = sent.lacks.includes('versao') ? null : row.versao
  if (contract.version && isOlder(version, known.versao)) return 'stale'
  if (gone) return markGone(contract, table, { known, row, sent })
  return update(contract, known, { row, sent })
}

function markGone(
  { marker, version }: Contract,
  table: Table,
  { known, row, sent }: { known: TableRow; row: FileRow; sent: Sent },
): Outcome {
  if (marker === 'hard') {
    table.delete(known.id)
    return 'deleted'
  }
  if (known.gone) return 'unchanged'
  known.gone = true
  if (version && !sent.lacks.includes('versao')) known.versao = row.versao
  return 'deleted'
}

function update(
  { createdOnlyInsert, nameMissing }: Contract,
  known: TableRow,
  { row, sent: { lacks } }: { row: FileRow; sent: Sent },
): Outcome {
  const kept = new Set<string>(lacks)
  if (nameMissing === 'fill') kept.delete('nome')
  if (createdOnlyInsert) kept.add('criado')
  const values = withoutLacking(row, { lacks })
  const changed = OPTIONAL.filter((name) => !kept.has(name) && known[name] !== values[name])
  if (changed.length === 0 && !known.gone) return 'unchanged'
  for (const name of changed) Object.assign(known, { [name]: values[name] })
  known.gone = false
  return 'updated'
}

/** The values of the file's row; those of columns that the file lacks are null. */
function withoutLacking(row: FileRow, { lacks }: Pick<Sent, 'lacks'>): Row {
  const { id, grupo, nome, n, versao, criado } = row
  return { id, grupo, nome, n, versao, criado, ...Object.fromEntries(lacks.map((name) => [name, null])) }
}
