import { findEarlier } from '../db/ends.ts'
import type { FoundJob, Job } from '../db/jobs.ts'
import type { Sql } from '../db/postgres.ts'
import { groupRejects, readContract, readFiles, type RejectedRow } from '../db/rejects-read.ts'
import { type Figura, loadOf } from '../figura/types.ts'
import { publicUrl } from '../job.ts'
import type { RejectsPage } from './load-schemas.ts'
import type { Details } from './view.ts'

/** Characters of an example's value that are shown. */
const VALUE_LENGTH = 200

/** Rows that a job has left out so far, or had by its end. */
export function rejectedCount({ rejected, rowsRejected }: Job): number {
  return rejected ?? rowsRejected
}

/** What stands in tables of their own: the files of a job of several, and what was left out by its reasons. */
export async function readDetails(sql: Sql, job: FoundJob): Promise<Details> {
  const [files, by, earlier] = await Promise.all([
    job.urls ? readFiles(sql, job.id) : [],
    rejectedCount(job) > 0 ? groupRejects(sql, job.id) : undefined,
    job.phase === 'wait' ? findEarlier(sql, job) : undefined,
  ])
  const held = { paused: job.pausedAt ?? undefined, earlier: earlier?.id }
  const rows = new Map(files.map((file) => [file.no, file]))
  const listed = job.urls?.map((url, no) => {
    // of one file alone, such as a pattern may stand for, the job's own row tells
    const { rows: count = null, bytes = null } = rows.get(no) ?? (job.urls?.length === 1 ? job : {})
    return { url: publicUrl(url), rows: count, bytes }
  })
  if (!by) return { files: listed ?? null, rejects: null, ...held }
  const figura = await readContract(sql, job.contract)
  const groups = by.map(({ columnName, rule, count, examples }) => ({
    column: columnName,
    rule,
    count,
    examples: (examples ?? []).map(({ file, row, record }) => ({
      file,
      row,
      value: exampleValue(figura, columnName, record),
    })),
  }))
  return { files: listed ?? null, rejects: { ...rejectsPlace(job), by: groups }, ...held }
}

/** How many rows a job has left out, and where they can be read. */
export function rejectsPlace(job: Job): { count: number; url: string } {
  return { count: rejectedCount(job), url: `/${job.figura}/_bulk/${job.id}/rejects` }
}

/** The value of the column in the file, where it comes from one column there and may be shown. */
function exampleValue(
  figura: Figura | undefined,
  name: string | null,
  record: Record<string, unknown> | null,
): string | null {
  if (!figura || !record) return null
  const column = figura.columns.find((one) => one.name === name)
  const marker = loadOf(figura).deleteMarker?.from
  if (column?.sensitive || (!column && name !== marker)) return null
  const names = [column?.from, ...(column?.aliases ?? []), name].map((one) => one?.toLowerCase())
  // the file may write them with other letters
  const source = names.flatMap((one) => Object.keys(record).filter((key) => key.toLowerCase() === one))[0]
  const value = source === undefined ? null : record[source]
  if (value === null || value === undefined) return null
  const text = String(value)
  return text.length > VALUE_LENGTH ? `${text.slice(0, VALUE_LENGTH).toWellFormed()}…` : text
}

/** A row that was left out, as it is answered. */
export function rejectView(reject: RejectedRow): RejectsPage['rejects'][number] {
  const { file, row, columnName, rule, reason, faults, record } = reject
  return { file, row, column: columnName, rule, reason, faults, record }
}
