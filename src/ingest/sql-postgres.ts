import { canonicalName } from '../figura/type-names.ts'
import type { Column, ColumnType, Figura } from '../figura/types.ts'
import { quote } from '../quote.ts'
import { tableColumns } from './served.ts'

/** The name of a job's stage, quoted. The number tells the stages of one job apart. */
export function stageName(job: string, stage: number): string {
  return `bulk_stage.${quote(`j_${job.replaceAll('-', '')}_${stage}`)}`
}

/** The name of the figura's table, quoted. */
export function targetName(figura: Figura): string {
  return `${quote(figura.table.schema)}.${quote(figura.table.name)}`
}

/**
 * The stage: UNLOGGED and without indexes or constraints (200,000 rows: 34 kB of WAL instead of 26 MB), so that a
 * chunk can be copied into it as fast as PostgreSQL takes rows. autovacuum would only disturb it.
 */
export function createStageSql(stage: string, columns: Column[]): string {
  return `create unlogged table ${stage} (${columnList(columns)}) with (autovacuum_enabled = false, ${UNTOASTED});
    ${storeAsIsSql(stage, columns)}`
}

/**
 * A stage of the session's own, for a file that is loaded in one transaction: made once, emptied at the end of each
 * transaction without a word in the catalogues, which 10,000 stages made and dropped fill with dead rows.
 */
export function createSessionStageSql(stage: string, columns: Column[]): string {
  return `create temporary table if not exists ${stage} (${columnList(columns)}) with (${UNTOASTED})
    on commit delete rows`
}

function columnList(columns: Column[]): string {
  return columns.map((column) => `${quote(column.name)} ${canonicalName(column.type)}`).join(', ')
}

/**
 * Texts are compressed where they stay, in the table; here they are only passed on. Rows of up to 8,160 bytes (the
 * most that PostgreSQL takes) are left whole: 100,000 texts of 2 kB were staged in 0.5 s instead of 2.2 s.
 */
const UNTOASTED = 'toast_tuple_target = 8160'

/** Longer values are moved out of the row as they are, instead of compressed first: 0.9 s instead of 2.2 s. */
function storeAsIsSql(stage: string, columns: Column[]): string {
  const changes = columns
    .filter((column) => TOASTED.has(column.type.kind))
    .map((column) => `alter ${quote(column.name)} set storage external`)
  return changes.length ? `alter table ${stage} ${changes.join(', ')}` : ''
}

const TOASTED = new Set<ColumnType['kind']>(['text', 'varchar', 'char', 'jsonb', 'bytea', 'array'])

/** Its name, quoted: the same for the same columns. */
export function sessionStageName(columns: Column[]): string {
  const list = columns.map((column) => `${column.name} ${canonicalName(column.type)}`).join('\n')
  return `pg_temp.${quote(`bulk_${new Bun.CryptoHasher('sha256').update(list).digest('hex').slice(0, 32)}`)}`
}

/** Drops a stage that is no longer needed; one that is gone already is no error. */
export function dropStageSql(stage: string): string {
  return `drop table if exists ${stage}`
}

/** The COPY that fills a stage; `columns` in the order in which the rows are encoded. */
export function copySql(stage: string, columns: Column[]): string {
  return `copy ${stage} (${columns.map((column) => quote(column.name)).join(', ')}) from stdin (format binary)`
}

/** The figura's table, made on first use, and its schema where that is missing too. */
export function createTargetSql(figura: Figura, { withSchema }: { withSchema: boolean }): string {
  const columns = tableColumns(figura).map(
    (column) => `${quote(column.name)} ${canonicalName(column.type)}${column.required ? ' not null' : ''}`,
  )
  const key = figura.key.length ? [`primary key (${figura.key.map(quote).join(', ')})`] : []
  return `${withSchema ? `create schema if not exists ${quote(figura.table.schema)};` : ''}
    create table if not exists ${targetName(figura)} (${[...columns, ...key].join(', ')})`
}

/** The rows of a stage in the blocks from..to, `to` exclusive: read without the other blocks, since PostgreSQL 14. */
export function stageSliceSql(stage: string, { from, to }: { from: number; to: number }): string {
  return `(select * from ${stage} where ctid >= '(${from},0)'::tid and ctid < '(${to},0)'::tid)`
}
