import { HISTORY_COLUMNS } from '../figura/service-columns.ts'
import { canonicalName } from '../figura/type-names.ts'
import type { Column, Figura } from '../figura/types.ts'
import { quote, quoteLiteral } from '../quote.ts'
import { filledColumns } from './served.ts'
import { GONE_COLUMN } from './sql.ts'
import { momentOf, OUTCOME, outcomesSql, sameKey, softColumn, type Loading } from './sql-merge.ts'
import { targetName } from './sql-postgres.ts'

/** The table of all versions of the rows of a figura's table. */
export function historyTable({ table }: Pick<Figura, 'table'>): Figura['table'] {
  return { schema: table.schema, name: `${table.name}_history` }
}

/** Its name, quoted. */
export function historyName(figura: Figura): string {
  const { schema, name } = historyTable(figura)
  return `${quote(schema)}.${quote(name)}`
}

/** Its columns: those that files fill, and its own. */
export function historyColumns(figura: Figura): Column[] {
  const added = Object.entries(HISTORY_COLUMNS).map(([name, kind]) => ({ name, type: { kind }, from: name }))
  return [...filledColumns(figura), ...added].map(({ name, type, from }) => ({
    name,
    type,
    from,
    required: false,
  }))
}

/** Makes it, and begins it with the rows that the table has: nobody knows since when. */
export function createHistorySql(load: Loading): string {
  const { figura } = load
  const history = historyName(figura)
  const columns = historyColumns(figura).map(({ name, type }) => `${quote(name)} ${canonicalName(type)}`)
  const names = filledColumns(figura).map(({ name }) => quote(name))
  const key = [...figura.key, 'valid_from'].map(quote).join(', ')
  return `
    create table ${history} (${columns.join(', ')}, primary key (${key}));
    insert into ${history} (${names.join(', ')}, "valid_from")
      select ${names.map((name) => `t.${name}`).join(', ')}, '-infinity' from ${targetName(figura)} as t
      where ${present(load)}`
}

/** Closes the versions of the rows that the load is about to change or to delete. */
export function closeVersionsSql(load: Loading, rows: string): string {
  const keys = load.figura.key.map((key) => `t.${quote(key)}`)
  return `update ${historyName(load.figura)} as h set "valid_to" = ${momentOf(load)}
    from (${outcomesSql(load, rows, keys)}) as o
    where o.${OUTCOME} in ('updated', 'deleted') and h."valid_to" is null and ${sameKey(load, 'h', 'o')}`
}

/** Closes the versions of rows that the table no longer has. */
export function closeLackingSql(load: Loading): string {
  return `update ${historyName(load.figura)} as h set "valid_to" = ${momentOf(load)}
    where h."valid_to" is null
      and not exists (select from ${targetName(load.figura)} as t where ${sameKey(load, 't', 'h')})`
}

/** Opens a version, as the table has it now, for each row of the file that has none: the new and the changed ones. */
export function openVersionsSql(load: Loading, rows: string): string {
  const names = filledColumns(load.figura).map(({ name }) => quote(name))
  return `insert into ${historyName(load.figura)} (${names.join(', ')}, "valid_from", "job_id")
    select ${names.map((name) => `t.${name}`).join(', ')}, ${momentOf(load)}, ${quoteLiteral(load.job)}::uuid
    from ${targetName(load.figura)} as t join ${rows} as s on ${sameKey(load)}
    where ${present(load)}${load.marked ? ` and s.${quote(GONE_COLUMN)} is not true` : ''} and not exists (
      select from ${historyName(load.figura)} as h where h."valid_to" is null and ${sameKey(load, 'h', 't')}
    )`
}

/** Rows that are softly deleted have no version that holds. */
function present(load: Loading): string {
  const soft = softColumn(load)
  return soft === undefined ? 'true' : `t.${quote(soft)} is null`
}
