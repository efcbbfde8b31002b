import type { Chunk, ClaimedJob } from '../db/claims.ts'
import { recordFiles } from '../db/files.ts'
import { recordPlan } from '../db/marks.ts'
import type { Sql } from '../db/postgres.ts'
import type { Context } from './context.ts'
import { filesOf, openFile, type OpenFile } from './file.ts'
import { JobLost } from './lease.ts'
import { rowsOf } from './plan.ts'
import { createStageSql, dropStageSql, stageName } from './sql-postgres.ts'

/** Opens each file of a job for the plan. Their local copies go when they are disposed of. */
export async function openFiles(
  job: ClaimedJob,
  context: Context,
  signal: AbortSignal,
): Promise<AsyncDisposable & { files: OpenFile[] }> {
  const files: OpenFile[] = []
  const dispose = async () => {
    for (const file of files) await file[Symbol.asyncDispose]()
  }
  try {
    for (const no of filesOf(job).keys()) {
      const name = no === 0 ? `${job.id}-${job.attempts}` : `${job.id}-${job.attempts}-file${no}`
      files.push(await openFile(job, { name, stage: job.attempts, planned: false, no }, context, signal))
    }
  } catch (error) {
    await dispose()
    throw error
  }
  return { files, [Symbol.asyncDispose]: dispose }
}

/** What is known of all files of a job together. */
export type Facts = ReturnType<typeof factsOf>

/** Puts together what is known of the files. */
export function factsOf(files: OpenFile[], planMs: number) {
  const [file, other] = files
  return {
    bytes: files.reduce((sum, { source }) => sum + source.bytes, 0),
    rows: rowsOf(files),
    rowGroups: files.reduce((sum, { shape }) => sum + shape.rowGroups.length, 0),
    etag: other ? null : (file?.source.etag ?? null),
    format: files.every(({ format }) => format === file?.format) ? (file?.format ?? null) : null,
    planMs,
  }
}

/** Records the plan and makes the stage, in one transaction. */
export async function makeStage(
  job: ClaimedJob,
  { files, facts }: { files: OpenFile[]; facts: Facts },
  chunks: (Chunk & { released: boolean })[],
  sql: Sql,
): Promise<void> {
  const stage = job.attempts
  await sql.begin(async (tx) => {
    if (!(await recordPlan(tx, { job: job.id, attempt: job.attempts }, { ...facts, chunks })))
      throw new JobLost('the job was claimed anew')
    if (files.length > 1) await recordFiles(tx, job.id, filesAsPlanned(job, files))
    const name = stageName(job.id, stage)
    await tx.unsafe(dropStageSql(name))
    await tx.unsafe(createStageSql(name, files[0]?.columns.map(({ column }) => column) ?? []))
  })
  Object.assign(job, { stage, phase: 'stage' })
}

function filesAsPlanned(job: ClaimedJob, files: OpenFile[]) {
  const asked = filesOf(job)
  return files.map(({ no, source, shape }) => ({
    url: asked[no]?.url ?? '',
    bytes: source.bytes,
    etag: source.etag,
    rows: rowsOf([{ shape }]),
    rowGroups: shape.rowGroups.length,
  }))
}
