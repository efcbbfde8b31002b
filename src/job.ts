/** The states a job can be in. The words are the owner's; exporters read them in `status`. */
export const STATUSES = ['enfileirado', 'processando', 'completo', 'erro', 'cancelado'] as const
export type Status = (typeof STATUSES)[number]

/** What a job in `processando` is doing. `wait`: staged, and an earlier job of the figura has to merge first. */
export const PHASES = ['plan', 'stage', 'wait', 'merge'] as const
export type Phase = (typeof PHASES)[number]

/** Why a job's next try is put off: its source fails, or the service lacks room. */
export const WAIT_REASONS = ['source', 'capacity'] as const
export type WaitReason = (typeof WAIT_REASONS)[number]

/** Trials, of which nothing reaches the table: of the columns alone, of every row, of what the merge would do. */
export const DRY_RUNS = ['schema', 'rows', 'impact'] as const
export type DryRun = (typeof DRY_RUNS)[number]

/** What a file can be, as its content tells. */
export const FORMATS = ['parquet', 'avro', 'csv', 'ndjson'] as const
export type Format = (typeof FORMATS)[number]

/**
 * One piece of work as it crosses NATS and the thread border: ids only, never a URL or a credential.
 * `stage` is the number of the stage that the piece belongs to: a piece of a stage that was given up is dropped.
 */
export type Task =
  | { kind: 'job'; figura: string; job: string; ring: number }
  | { kind: 'chunk'; figura: string; job: string; ring: number; stage: number; chunk: number }
  | { kind: 'merge'; figura: string; job: string; ring: number; stage: number }

/** A change of a job's status, told on the stream of events. The job row is the truth; this is a courtesy. */
export type JobEvent = { figura: string; job: string; status: Status }

/**
 * What became of a task.
 * - `done`: its effect is committed (or it had none left to have); `release` holds the tasks that may start now.
 * - `again`: the same task is to be tried after `delayMs`; what it had to commit, it had not.
 */
export type Outcome = { kind: 'done'; release: Task[] } | { kind: 'again'; delayMs: number; reason: string }

/** Shows a source URL without what could be a secret: no user, no password, no query, no fragment. */
export function publicUrl(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^([a-z0-9+.-]+:\/\/)[^/]*@/i, '$1')
}
