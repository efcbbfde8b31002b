import type { PendingQuery, Row } from 'postgres'
import type { Sql } from './postgres.ts'

/** Since when no job of a figura is begun, and who asked for it. */
export type Pause = { at: Date; by: string }

/** Holds back the jobs of a figura that are not begun yet. One that is paused already stays so as it was. */
export async function pauseFigura(sql: Sql, figura: string, by: string): Promise<void> {
  await sql`insert into bulk.pause (figura, by) values (${figura}, ${by}) on conflict (figura) do nothing`
}

/** Lets the jobs of a figura be begun again. */
export async function resumeFigura(sql: Sql, figura: string): Promise<void> {
  await sql`delete from bulk.pause where figura = ${figura}`
}

/** The pause of a figura, if it is paused. */
export async function findPause(sql: Sql, figura: string): Promise<Pause | undefined> {
  const [pause] = await sql<Pause[]>`select at, by from bulk.pause where figura = ${figura}`
  return pause
}

/** The first jobs of a figura that wait to be begun, to be rung for; a ring is counted for each. */
export async function takeQueued(
  sql: Sql,
  figura: string,
  limit: number,
): Promise<{ id: string; figura: string; ring: number }[]> {
  return sql`
    update bulk.job set ring = ring + 1, ring_at = now() + interval '10 seconds'
    where id in (
      select id from bulk.job where figura = ${figura} and status = 'enfileirado'
      order by seq limit ${limit} for update skip locked
    )
    returning id, figura, ring
  `
}

/** The place in the order of acceptance of a figura's last job that was begun and lives; 0: there is none. */
export function lastBegun(sql: Sql, figura: PendingQuery<Row[]>) {
  return sql`coalesce((
    select max(begun.seq) from bulk.job begun where begun.figura = ${figura} and begun.status = 'processando'
  ), 0)`
}
