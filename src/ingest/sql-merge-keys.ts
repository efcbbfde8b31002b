import { loadOf } from '../figura/types.ts'
import { quote } from '../quote.ts'
import { ROW_COLUMN } from './sql.ts'
import type { Loading } from './sql-merge.ts'

const ROW = quote(ROW_COLUMN)

/** Staged rows whose key is null in part: how many, and where the first ones stand. */
export function nullKeysSql({ figura }: Loading, rows: string): string {
  const missing = figura.key.map((key) => `s.${quote(key)} is null`).join(' or ')
  return `
    select (select count(*) from ${rows} as s where ${missing}) as count,
      array(select s.${ROW} from ${rows} as s where ${missing} order by s.${ROW} limit 5) as places`
}

/**
 * Keys that stand in several staged rows, as PostgreSQL compares them (a char(n) without its blanks): how many keys,
 * in how many rows, and the first of them. Values that are sensitive are not read.
 */
export function repeatedKeysSql({ figura, columns }: Loading, rows: string): string {
  const keys = figura.key.map(quote)
  const shown = figura.key.map((key) => {
    const sensitive = columns.some(({ name, sensitive: secret }) => name === key && secret)
    return `${sensitive ? `'…'` : `r.${quote(key)}::text`} as ${quote(key)}`
  })
  return `
    with repeated as materialized (
      select ${keys.join(', ')}, count(*) as _bulk_times, min(${ROW}) as _bulk_first, max(${ROW}) as _bulk_last
      from ${rows} as s group by ${keys.join(', ')} having count(*) > 1
    )
    select (select count(*) from repeated) as keys,
      (select coalesce(sum(_bulk_times), 0)::bigint from repeated) as rows,
      (select coalesce(jsonb_agg(to_jsonb(e.*)), '[]') from (
        select (select to_jsonb(k.*) from (select ${shown.join(', ')}) as k) as key,
          _bulk_times as times, _bulk_first as first_place, _bulk_last as last_place
        from repeated as r order by _bulk_first limit 5
      ) as e) as examples`
}

/** Takes the rows out of a stage that do not count beside another row with their key. */
export function dropDuplicatesSql(load: Loading, rows: string): string {
  return `
    delete from ${rows} as s using (
      select ctid as place, row_number() over (
        partition by ${load.figura.key.map(quote).join(', ')} order by ${rank(load)}
      ) as rank from ${rows}
    ) as r where s.ctid = r.place and r.rank > 1`
}

/** A file that lacks the version does not say which of its rows is newest: the last one is. */
function rank({ figura, columns }: Loading): string {
  const { duplicates, version } = loadOf(figura)
  if (duplicates === 'first') return ROW
  if (duplicates === 'newest' && version !== undefined && columns.some(({ name }) => name === version))
    return `${quote(version)} desc nulls last, ${ROW} desc`
  return `${ROW} desc`
}
