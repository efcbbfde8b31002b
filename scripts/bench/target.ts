import type postgres from 'postgres'
import { quote } from '../../src/quote.ts'
import type { Dataset } from './data.ts'

/** The table that the service fills, and the one of the same make that the reference fills. */
export type Tables = { ours: string; reference: string; stage: string }

/** The tables of a dataset. */
export function tablesOf(name: string): Tables {
  return {
    ours: `bench.${quote(name)}`,
    reference: `bench_reference.${quote(name)}`,
    stage: `bench_reference.${quote(`${name}_stage`)}`,
  }
}

/**
 * Makes the table that a figura is loaded into. autovacuum is off for it: tables are vacuumed by hand between the runs,
 * and it would come in the midst of some.
 */
export async function makeTarget(sql: postgres.Sql, { name, columns }: Dataset): Promise<void> {
  const list = columns.map(
    (column) => `${quote(column.name)} ${column.type}${column.required ? ' not null' : ''}`,
  )
  await sql.unsafe(`
    create schema if not exists bench;
    create table ${tablesOf(name).ours} (${list.join(', ')}, primary key (id)) with (autovacuum_enabled = false)`)
}

/** Makes what the reference needs: the same table with the same index, and a stage such as the service has. */
export async function makeReference(sql: postgres.Sql, { ours, reference, stage }: Tables): Promise<void> {
  await sql.unsafe(`
    create schema if not exists bench_reference;
    drop table if exists ${reference}, ${stage};
    create table ${reference} (like ${ours} including all);
    create unlogged table ${stage} (like ${ours}) with (autovacuum_enabled = false);
    alter table ${reference} set (autovacuum_enabled = false)`)
}

/** Empties tables, and lets PostgreSQL write everything out, so that every run begins alike. */
export async function emptyTables(sql: postgres.Sql, tables: string[]): Promise<void> {
  await sql.unsafe(`truncate ${tables.join(', ')}`)
  await settle(sql, tables)
}

/** Brings a table to the rows of a file in binary COPY format that PostgreSQL itself reads. */
export async function restoreTable(sql: postgres.Sql, table: string, file: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe(`truncate ${table}`)
    await tx.unsafe(`copy ${table} from '${file}' (format binary, freeze)`)
  })
  await settle(sql, [table])
}

/** Vacuums and analyzes tables and writes all that is dirty to the disk. */
export async function settle(sql: postgres.Sql, tables: string[]): Promise<void> {
  for (const table of tables) await sql.unsafe(`vacuum (analyze) ${table}`)
  await sql`checkpoint`
}

/** Where the WAL ends, in bytes. Two such numbers tell how much was written between. */
export async function walBytes(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<
    { bytes: string }[]
  >`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as bytes`
  return Number(row?.bytes)
}
