import { lockForCreation } from '../db/locks.ts'
import { findTarget, hasSchema, type TargetTable } from '../db/targets.ts'
import { isTransient, type Sql } from '../db/postgres.ts'
import { beginUntil } from '../db/until.ts'
import { BulkError, type Difference } from '../errors.ts'
import { canonicalName } from '../figura/type-names.ts'
import { type Column, type Figura, loadOf, tableName } from '../figura/types.ts'
import { quote } from '../quote.ts'
import { tableColumns } from './served.ts'
import { historyColumns, historyName, historyTable } from './sql-merge-history.ts'
import { createTargetSql, targetName } from './sql-postgres.ts'

/**
 * Makes the figura's table on first use, and else compares it with the figura: columns, types, a unique index on
 * the key; and the table of its history, which the first load makes, where there is one.
 * A trial makes nothing.
 * @throws BulkError `target_differs` with every difference, so that this figura alone stands still
 */
export async function ensureTarget(
  sql: Sql,
  figura: Figura,
  { trial = false, signal = NEVER }: { trial?: boolean; signal?: AbortSignal } = {},
): Promise<void> {
  const table = await findTarget(sql, figura.table)
  if (!table) return trial ? undefined : createTarget(sql, figura, signal)
  const history = loadOf(figura).history ? await findTarget(sql, historyTable(figura)) : undefined
  const differences = [...compareTarget(figura, table), ...(history ? compareHistory(figura, history) : [])]
  if (differences.length === 0) return
  const names = differences.map((difference) => difference.column).join(', ')
  throw new BulkError(
    'target_differs',
    {
      subject: `Table ${tableName(figura)}`,
      found: `${differences.length} difference(s) (${names})`,
      expected: `what figura ${figura.name} declares`,
    },
    { differences },
  )
}

const NEVER = new AbortController().signal

async function createTarget(sql: Sql, figura: Figura, signal: AbortSignal): Promise<void> {
  try {
    await beginUntil(sql, signal, async (tx) => {
      await lockForCreation(tx)
      // `create schema if not exists` asks for a right that is not needed where the schema is there
      const withSchema = !(await hasSchema(tx, figura.table.schema))
      await tx.unsafe(createTargetSql(figura, { withSchema }))
    })
  } catch (error) {
    if (isTransient(error) || signal.aborted || !(error instanceof Error)) throw error
    throw new BulkError(
      'table_refused',
      {
        subject: `Table ${tableName(figura)}`,
        found: `that PostgreSQL does not make it (${error.message})`,
        expected: 'a role that may create it, or a table that exists',
        action: 'Create the table by hand, or grant the right to the role of the service.',
      },
      {},
      { cause: error },
    )
  }
}

/** Every difference between the figura and the table, with the statement that would mend it. */
export function compareTarget(figura: Figura, table: TargetTable): Difference[] {
  if (!table.isTable) {
    const fix = 'name a table in the figura, or take the other thing of that name away'
    return [{ column: '*', found: 'a view or another thing of that name', expected: 'a table', fix }]
  }
  const columns = tableColumns(figura)
  return [
    ...compareColumns(columns, table, targetName(figura)),
    ...table.columns
      .filter(({ name, mustBeGiven }) => mustBeGiven && !columns.some((column) => column.name === name))
      .map(({ name }) => ({
        column: name,
        found: 'not null and without a default',
        expected: 'a value for it',
        fix: 'declare it in the figura, or give it a default',
      })),
    ...compareKey(figura, table),
  ]
}

/** The same for the table of all versions, where there is one. */
export function compareHistory(figura: Figura, table: TargetTable): Difference[] {
  const of = (difference: Difference) => ({ ...difference, column: `history: ${difference.column}` })
  return compareColumns(historyColumns(figura), table, historyName(figura)).map(of)
}

function compareColumns(columns: Column[], table: TargetTable, target: string): Difference[] {
  return columns.flatMap((column): Difference[] => {
    const expected = canonicalName(column.type)
    const name = quote(column.name)
    const found = table.columns.find((one) => one.name === column.name)
    if (!found) {
      const fix = `alter table ${target} add column ${name} ${expected}`
      return [{ column: column.name, found: 'no such column in the table', expected, fix }]
    }
    if (found.generated) {
      const fix = 'take the column out of the figura'
      return [{ column: column.name, found: 'a generated column', expected: 'one that can be written', fix }]
    }
    if (found.type === expected) return []
    const change = `alter table ${target} alter column ${name} type ${expected} using ${name}::${expected}`
    const fix = `${change}, or declare it as ${found.type}`
    return [{ column: column.name, found: found.type, expected, fix }]
  })
}

/** Rows without a key are only ever inserted, and nothing is looked for. */
function compareKey(figura: Figura, table: TargetTable): Difference[] {
  const key = [...figura.key].sort().join('\n')
  if (figura.key.length === 0) return []
  if (table.uniqueKeys.some((columns) => [...columns].sort().join('\n') === key)) return []
  const list = figura.key.map(quote).join(', ')
  return [
    {
      column: figura.key.join(', '),
      found: 'no unique index',
      expected: `one on (${list})`,
      fix: `create unique index on ${targetName(figura)} (${list})`,
    },
  ]
}
