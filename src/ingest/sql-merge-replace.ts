import { loadOf } from '../figura/types.ts'
import { quote } from '../quote.ts'
import { sameKey, type Loading } from './sql-merge.ts'
import { targetName } from './sql-postgres.ts'

/** The table's rows within the scope of a file, and those of them that the file lacks. */
export function countLackingSql(load: Loading, rows: string): string {
  const [key = ''] = load.figura.key
  return `select count(*) as rows, count(*) filter (where s.${quote(key)} is null) as lacking
    from ${targetName(load.figura)} as t left join ${rows} as s on ${sameKey(load)} where ${inScope(load, rows)}`
}

/** Deletes the rows that the file lacks, one by one: readers never see an empty table, on any version. */
export function deleteLackingSql(load: Loading, rows: string): string {
  return `delete from ${targetName(load.figura)} as t
    where ${inScope(load, rows)} and not exists (select from ${rows} as s where ${sameKey(load)})`
}

/**
 * That the values of a row's scope columns occur in the file, nulls too. Apart from nulls it is one look into a hash
 * table: `is not distinct from` alone is a loop over the stage for each row.
 */
function inScope({ figura }: Loading, rows: string): string {
  const scope = loadOf(figura).scope.map(quote)
  if (scope.length === 0) return 'true'
  const none = (alias: string) => scope.map((name) => `${alias}.${name} is null`).join(' or ')
  const all = scope.map((name) => `f.${name} is not null`).join(' and ')
  const equal = scope.map((name) => `f.${name} is not distinct from t.${name}`).join(' and ')
  const list = (alias: string) => scope.map((name) => `${alias}.${name}`).join(', ')
  return `(
    (${list('t')}) in (select distinct ${list('f')} from ${rows} as f where ${all})
    or (${none('t')}) and exists (select from ${rows} as f where (${none('f')}) and ${equal})
  )`
}
