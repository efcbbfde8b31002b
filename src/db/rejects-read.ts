import type { Figura } from '../figura/types.ts'
import type { Sql } from './postgres.ts'

/** A file of a job of several. */
export type JobFile = { no: number; url: string; rows: number | null; bytes: number | null }

/** The files of a job as they were planned, in order; none before that. */
export async function readFiles(sql: Sql, job: string): Promise<JobFile[]> {
  return sql<JobFile[]>`select no, url, rows, bytes from bulk.file where job = ${job} order by no`
}

/** The contract that jobs were accepted under. */
export async function readContract(sql: Sql, hash: string): Promise<Figura | undefined> {
  const [row] = await sql<{ definition: Figura }[]>`
    select definition from bulk.contract where hash = ${hash}
  `
  return row?.definition
}

/** Rows that were left out for one reason: whether there are more of them, and the first ones with their records. */
export type RejectGroup = {
  columnName: string | null
  rule: string
  count: number
  examples: { file: number; row: number; record: Record<string, unknown> | null }[] | null
}

/** Reasons that are told of a job, at the most: a figura has hardly more rules. */
const GROUPS = 100

/** Examples are looked for among so many rows, so that a status costs the same however many were left out. */
const EXAMPLE_ROWS = 10_000

/** Counts the rows that a job has left out by the column and rule that they break first, the most frequent first. */
export async function groupRejects(sql: Sql, job: string): Promise<RejectGroup[]> {
  return sql<RejectGroup[]>`
    with first as (
      select column_name, rule, file, "row", record
      from bulk.reject where job = ${job} order by file, "row" limit ${EXAMPLE_ROWS}
    ), numbered as (
      select *, row_number() over (partition by column_name, rule order by file, "row") as nth from first
    ), shown as (
      select column_name, rule,
        json_agg(json_build_object('file', file, 'row', "row", 'record', ${texts(sql)}) order by nth) as examples
      from numbered where nth <= 3 group by column_name, rule
    ), counted as (
      select column_name, rule, count(*) as count from bulk.reject where job = ${job} group by column_name, rule
    )
    select c.column_name, c.rule, c.count, s.examples
    from counted c left join shown s on s.rule = c.rule and s.column_name is not distinct from c.column_name
    order by c.count desc, c.column_name, c.rule limit ${GROUPS}
  `
}

/** A row that was left out. `record`: its values, each as text: numbers of JavaScript would lose digits. */
export type RejectedRow = {
  file: number
  row: number
  columnName: string | null
  rule: string
  reason: string
  faults: { column: string | null; rule: string; reason: string }[]
  record: Record<string, string | null> | null
}

/** Where a page of rejects begins: after this row of this file. */
export type After = { file: number; row: number }

/** Up to `limit` rows that a job has left out, in the order of the files, after the row `after`. */
export async function readRejects(
  sql: Sql,
  job: string,
  { after, limit }: { after: After | undefined; limit: number },
): Promise<RejectedRow[]> {
  return sql<RejectedRow[]>`
    select file, "row", column_name, rule, reason, faults, ${texts(sql)} as record
    from bulk.reject
    where job = ${job} ${after ? sql`and (file, "row") > (${after.file}, ${after.row})` : sql``}
    order by file, "row" limit ${limit}
  `
}

/** The names of the columns that a job's rejects have values of: all rows of a file have the same. */
export async function readRejectColumns(sql: Sql, job: string): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select distinct json_object_keys(record) as name
    from (
      select distinct on (file) record from bulk.reject
      where job = ${job} and json_typeof(record) = 'object' order by file, "row"
    ) as one
  `
  return rows.map(({ name }) => name)
}

/** Deletes up to `limit` rejects that are older than so many days, and says how many. */
export async function deleteOldRejects(
  sql: Sql,
  { days, limit }: { days: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    delete from bulk.reject where (job, file, "row") in (
      select job, file, "row" from bulk.reject
      where at < now() - ${days} * interval '1 day'
      order by at limit ${limit} for update skip locked
    )
  `
  return count
}

/** A record with each value as text, a nested one as JSON. */
function texts(sql: Sql) {
  return sql`case when json_typeof(record) = 'object' then (
    select coalesce(json_object_agg(name, value order by no), '{}')
    from json_each_text(record) with ordinality as one (name, value, no)
  ) end`
}
