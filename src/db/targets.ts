import type { Sql, Transaction } from './postgres.ts'

/** A table as PostgreSQL's catalogue has it. `uniqueKeys`: the columns of each whole, valid unique index. */
export type TargetTable = {
  /** False for a view, an index, a foreign table …: nothing can be merged into it. */
  isTable: boolean
  columns: { name: string; type: string; mustBeGiven: boolean; generated: boolean }[]
  uniqueKeys: string[][]
}

/** Looks a table up; undefined when there is none. */
export async function findTarget(
  sql: Sql | Transaction,
  name: { schema: string; name: string },
): Promise<TargetTable | undefined> {
  const [row] = await sql<TargetTable[]>`
    select c.relkind in ('r', 'p') as is_table,
      (select coalesce(json_agg(json_build_object(
          'name', a.attname,
          'type', format_type(a.atttypid, a.atttypmod),
          'mustBeGiven', a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attgenerated = '',
          'generated', a.attgenerated <> '' or a.attidentity = 'a'
        ) order by a.attnum), '[]')
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
      (select coalesce(json_agg((
          select json_agg(a.attname order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attnum = any(i.indkey)
        )), '[]')
        from pg_index i
        where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null
          and not 0 = any(i.indkey[0:i.indnkeyatts - 1]) and i.indnkeyatts = i.indnatts) as unique_keys
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${name.schema} and c.relname = ${name.name}
  `
  return row
}

/** True when the schema is there. */
export async function hasSchema(sql: Sql | Transaction, schema: string): Promise<boolean> {
  const [row] = await sql<
    { found: boolean }[]
  >`select to_regnamespace(quote_ident(${schema})) is not null as found`
  return row?.found ?? false
}

/** What decides how a stage is merged. */
export type MergeFacts = {
  /** Transactions that may still be prepared; 0 where max_prepared_transactions is 0, as it is by default. */
  preparedFree: number
  /** Blocks of the stage; 0 when it is not there. */
  stageBlocks: number
}

/** Looks up what decides how a stage is merged; `stage` is its quoted name. */
export async function readMergeFacts(sql: Sql, stage: string): Promise<MergeFacts> {
  const [row] = await sql<MergeFacts[]>`
    select
      current_setting('max_prepared_transactions')::int - (select count(*) from pg_prepared_xacts)::int
        as prepared_free,
      coalesce(pg_relation_size(to_regclass(${stage})) / current_setting('block_size')::int, 0)::int as stage_blocks
  `
  if (!row) throw new Error('PostgreSQL did not answer what its settings are')
  return row
}

/** True when the role may make temporary tables in this database, as every role may by default. */
export async function mayMakeTemporary(tx: Transaction): Promise<boolean> {
  const [row] = await tx<
    { may: boolean }[]
  >`select has_database_privilege(current_database(), 'TEMPORARY') as may`
  return row?.may ?? false
}

/** True when a table has no row that this transaction sees. `target`: its quoted name. */
export async function isEmpty(tx: Sql | Transaction, target: string): Promise<boolean> {
  const [row] = await tx.unsafe<{ empty: boolean }[]>(`select not exists (select from ${target}) as empty`)
  return row?.empty ?? false
}

/**
 * Rows that have been inserted into a table, its partitions included, as the connection's own statistics have it; null
 * where the server keeps none. They may still hold what an earlier transaction did: only differences count.
 */
export async function insertedInTransaction(
  tx: Transaction,
  table: { schema: string; name: string },
): Promise<number | null> {
  const [row] = await tx<{ inserted: number | null }[]>`
    select case when current_setting('track_counts')::boolean then coalesce(
      (select sum(pg_stat_get_xact_tuples_inserted(p.relid)) from pg_partition_tree(t.oid) p where p.isleaf),
      pg_stat_get_xact_tuples_inserted(t.oid)
    )::bigint end as inserted
    from (select to_regclass(quote_ident(${table.schema}) || '.' || quote_ident(${table.name}))::oid as oid) t
  `
  return row?.inserted ?? null
}

/** True when a trigger, of the table or of a partition of it, may pass over rows that are inserted. */
export async function mayDropInserts(
  tx: Transaction,
  table: { schema: string; name: string },
): Promise<boolean> {
  const [row] = await tx<{ may: boolean }[]>`
    select exists (
      select from pg_trigger
      where tgrelid in (select t.oid union select relid from pg_partition_tree(t.oid))
        -- for each row, before, insert: TRIGGER_TYPE_… of pg_trigger.h
        and tgtype & 7 = 7 and tgenabled <> 'D' and not tgisinternal
    ) as may
    from (select to_regclass(quote_ident(${table.schema}) || '.' || quote_ident(${table.name}))::oid as oid) t
  `
  return row?.may ?? false
}

/** Names of the columns of a stage, in order; none when the stage is not there. */
export async function stageColumns(sql: Sql | Transaction, stage: string): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select attname as name from pg_attribute
    where attrelid = to_regclass(${stage}) and attnum > 0 and not attisdropped
    order by attnum
  `
  return rows.map((row) => row.name)
}
