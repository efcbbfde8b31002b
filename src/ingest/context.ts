import type { Config } from '../config.ts'
import type { Duckdb } from '../db/duckdb.ts'
import type { Sql } from '../db/postgres.ts'
import type { JobEvent } from '../job.ts'
import type { Log } from '../log.ts'
import type { OpenedFiles } from './opened.ts'

/**
 * What a thread works with: one DuckDB, and three connections (COPY, the heartbeat, the records), for its whole
 * life.
 */
export type Context = {
  config: Config
  thread: number
  sql: Sql
  /** One connection that keeps its temporary tables; not opened before it is needed. */
  session: Sql
  duckdb: Duckdb
  /** The files that the thread opened last. */
  opened: OpenedFiles
  log: Log
  /** Aborted when the thread has to stop without waiting for its task. */
  interrupted: AbortSignal
  /** Tells that a job's status changed, to whoever listens; best effort. */
  tell(event: JobEvent): void
}
