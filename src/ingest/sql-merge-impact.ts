import type { Column } from '../figura/types.ts'
import { quote } from '../quote.ts'
import { GONE_COLUMN } from './sql.ts'
import {
  comparedColumns,
  countOutcomesSql,
  OUTCOME,
  outcomesSql,
  sameKey,
  softColumn,
  type Loading,
} from './sql-merge.ts'
import { countLackingSql } from './sql-merge-replace.ts'
import { targetName } from './sql-postgres.ts'

/** How many updates are shown. */
const SAMPLES = 20

/**
 * What a load would do, in one statement and so of one moment: how many rows come to what, the table's rows that the
 * file lacks, and samples of updates with the values before and after.
 */
export function impactSql(load: Loading, rows: string): string {
  const lacking = load.mode === 'replace' ? `(${countLackingSql(load, rows)})` : undefined
  const counts = `(${countOutcomesSql(load, rows)})`
  return `
    select (select coalesce(jsonb_object_agg(c.outcome, c.rows), '{}') from ${counts} as c) as counts,
      ${lacking ? `(select to_jsonb(l.*) from ${lacking} as l)` : 'null::jsonb'} as lacking,
      (select coalesce(jsonb_agg(to_jsonb(u.*)), '[]') from (${samplesSql(load, rows)}) as u) as samples`
}

/** How many rows an append would add whose key the table has already, or another of them. */
export function takenKeysSql(load: Loading, rows: string): string {
  const key = load.figura.key.map((name) => `s.${quote(name)}`).join(', ')
  const added = load.marked ? `where s.${quote(GONE_COLUMN)} is not true` : ''
  return `
    select count(*)::bigint as rows
    from (select ${key}, count(*) over (partition by ${key}) as times from ${rows} as s ${added}) as s
    where s.times > 1 or exists (select from ${targetName(load.figura)} as t where ${sameKey(load)})`
}

/** The columns whose values a sample compares; it names those that differ by their places in this list. */
export function sampledColumns(load: Loading): string[] {
  const soft = softColumn(load)
  return [...comparedColumns(load).map(({ name }) => name), ...(soft === undefined ? [] : [soft])]
}

function samplesSql(load: Loading, rows: string): string {
  const { figura, columns } = load
  const keys = columns.filter(({ name }) => figura.key.includes(name))
  const compared = comparedColumns(load)
  const changed = compared.map(
    ({ name }, at) => `case when t.${quote(name)} is distinct from s.${quote(name)} then ${at} end`,
  )
  const before = compared.map((column) => shown(column, 't'))
  const after = compared.map((column) => shown(column, 's'))
  const soft = softColumn(load)
  if (soft !== undefined) {
    changed.push(`case when t.${quote(soft)} is not null then ${compared.length} end`)
    before.push(`t.${quote(soft)}`)
    after.push(`null as ${quote(soft)}`)
  }
  if (load.mode === 'append' || changed.length === 0 || keys.length === 0) return 'select where false'
  const selected = [
    ...keys.map(({ name }, at) => `s.${quote(name)} as key${at}`),
    `${whole(keys.map((column) => shown(column, 's')))} as key`,
    `array_remove(array[${changed.join(', ')}], null) as changed`,
    `${whole(before)} as before`,
    `${whole(after)} as after`,
  ]
  const order = keys.map((_, at) => `o.key${at}`).join(', ')
  return `select o.key, o.changed, o.before, o.after from (${outcomesSql(load, rows, selected)}) as o
    where o.${OUTCOME} = 'updated' order by ${order} limit ${SAMPLES}`
}

function whole(list: string[]): string {
  return `(select to_jsonb(r.*) from (select ${list.join(', ')}) as r)`
}

/** A value as JSON. Numbers of more digits than a double keeps are texts; sensitive values are not read. */
function shown({ name, type, sensitive }: Column, alias: string): string {
  const value = `${alias}.${quote(name)}`
  if (sensitive) return `case when ${value} is not null then '…' end as ${quote(name)}`
  if (type.kind !== 'bigint' && type.kind !== 'numeric') return value
  return `case when length(translate(${value}::text, '-.', '')) > 15 then to_jsonb(${value}::text)
    else to_jsonb(${value}) end as ${quote(name)}`
}
