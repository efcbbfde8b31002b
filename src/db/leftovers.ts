import type { Sql, Transaction } from './postgres.ts'

/** A stage, by the job that it was made for and its number among that job's. */
export type LeftStage = { job: string; stage: number }

/**
 * Up to `limit` stages that nobody works with: their job is over or gone, or has another stage by now. None of those
 * that we may not drop, since another role has made them.
 */
export async function findLeftStages(sql: Sql, limit: number): Promise<LeftStage[]> {
  return sql<LeftStage[]>`
    with stage as materialized (
      select substr(relname, 3, 32)::uuid as job, split_part(relname, '_', 3)::int as stage
      from pg_class join pg_namespace on pg_namespace.oid = relnamespace
      where nspname = 'bulk_stage' and relkind = 'r' and relname ~ '^j_[0-9a-f]{32}_[0-9]{1,9}$'
        and (pg_has_role(relowner, 'usage') or pg_has_role(nspowner, 'usage'))
    )
    select stage.job, stage.stage from stage left join bulk.job on job.id = stage.job
    where job.id is null or job.status not in ('enfileirado', 'processando') or job.stage is distinct from stage.stage
    limit ${limit}
  `
}

/**
 * Whether the job works with that stage. Its row is locked until the transaction ends, so that it cannot be planned
 * anew meanwhile, and make a stage of the same name.
 * @throws 55P03, when somebody is about to change the job
 */
export async function lockStageUser(tx: Transaction, { job, stage }: LeftStage): Promise<boolean> {
  const [row] = await tx<{ works: boolean }[]>`
    select status in ('enfileirado', 'processando') and stage is not distinct from ${stage} as works
    from bulk.job where id = ${job} for update nowait
  `
  return row?.works ?? false
}

/** Deletes up to `limit` marks that belong to no stage of a job that is alive, and says how many. */
export async function deleteLeftMarks(sql: Sql, limit: number): Promise<number> {
  const { count } = await sql`
    delete from bulk.chunk where (job, stage, no) in (
      select job, stage, no from bulk.chunk
      where not exists (
        select from bulk.job
        where job.id = chunk.job and job.stage = chunk.stage and job.status in ('enfileirado', 'processando')
      )
      limit ${limit} for update skip locked
    )
  `
  return count
}
