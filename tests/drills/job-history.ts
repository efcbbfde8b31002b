import type { Sql } from '../../src/db/postgres.ts'

/** Ends of jobs, as a service that has run for three months has them. */
const STATUSES = `(array['completo', 'completo', 'completo', 'completo', 'completo', 'completo', 'completo', 'erro'])`

/**
 * Fills the tables with so many jobs of 20 figuras that have ended, and 100 that are alive; of ten one has a line of
 * log, and one contract of 21 has no job. Then PostgreSQL looks at what it has. Ids rise with time, as in version 7.
 */
export async function fillJobs(sql: Sql, jobs: number, contract: string): Promise<void> {
  await sql.unsafe(`
    set maintenance_work_mem = '256MB';
    insert into bulk.contract (hash, figura, definition)
      select '${contract}' || i, 'f' || i, '{}' from generate_series(0, 20) i;
    update bulk.contract set created_at = now() - interval '1 year';
    insert into bulk.job (id, figura, contract, url, status, phase, created_at, started_at, finished_at, attempts, read)
      select ${idOf('i')}, 'f' || i % 20, '${contract}' || i % 20, 's3://exportacoes/arquivo-' || i || '.parquet',
        ${STATUSES}[1 + i % 8], null, at, at, at + interval '2 seconds', 1, 1000
      from generate_series(1, ${jobs}) i,
        lateral (select now() - interval '89 days' * (1 - i::float8 / ${jobs}) as at) t;
    insert into bulk.job (id, figura, contract, url, ring_at)
      select ${idOf(`${jobs} + i`)}, 'f' || i % 20, '${contract}' || i % 20, 's3://exportacoes/novo', now()
      from generate_series(1, 100) i;
    insert into bulk.job_log (job, level, node, attempt, message)
      select id, 'info', 'n', 1, 'the rows are merged' from bulk.job where seq % 10 = 0;
    analyze bulk.job, bulk.job_log, bulk.contract`)
}

/** The id of the n-th job. */
export function idOf(number: string): string {
  return `(lpad(to_hex(${number}), 12, '0') || '70008000' || lpad(to_hex(${number}), 12, '0'))::uuid`
}
