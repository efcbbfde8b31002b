import type postgres from 'postgres'

/**
 * The rows of a table, by key: values as texts, lists and JSON as they are. No rows where there is no table.
 */
export async function readRows(
  sql: postgres.Sql,
  table: string,
  key: string[],
): Promise<Record<string, unknown>[]> {
  const [there] = await sql`select to_regclass(${table}) is not null as found`
  if (!there?.found) return []
  const columns = await sql<{ name: string }[]>`
    select attname as name from pg_attribute where attrelid = to_regclass(${table}) and attnum > 0`
  const ordered = key.filter((name) => columns.some((column) => column.name === name))
  const order = [...ordered.map((name) => `one."${name}"`), 'one::text'].join(', ')
  const rows = await sql.unsafe<{ row: Record<string, unknown> }[]>(`
    select (
      select jsonb_object_agg(key, case
        when jsonb_typeof(value) in ('object', 'array', 'null') then value else to_jsonb(value #>> '{}') end)
      from jsonb_each(to_jsonb(one))
    ) as row from ${table} as one order by ${order}`)
  return rows.map(({ row }) => row)
}
