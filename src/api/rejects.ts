import { Elysia } from 'elysia'
import type { Sql } from '../db/postgres.ts'
import type { Job } from '../db/jobs.ts'
import { type After, readContract, readRejectColumns, readRejects } from '../db/rejects-read.ts'
import type { CallerOf } from './caller.ts'
import { requireJob } from './find-job.ts'
import { inTime } from './in-time.ts'
import { invalid } from './invalid.ts'
import { RejectsPage, RejectsQuery } from './load-schemas.ts'
import { says } from './operation.ts'
import { FILE_FORMATS, type FileFormat, inOrder, rejectsFile } from './rejects-file.ts'
import { rejectedCount, rejectView } from './rejects-view.ts'
import { JobParams } from './schema-parts.ts'
import { isLive } from './view.ts'

/** Rows on a page, unless told. */
const PAGE_ROWS = 100

/** The address of the rows that a job has left out. */
export function createRejects({
  sql,
  callerOf,
  rejectsDays,
}: {
  sql: Sql
  callerOf: CallerOf
  rejectsDays: number
}) {
  const page = async (read: () => Promise<Job>, query: RejectsQuery) =>
    readPage(sql, await read(), query, rejectsDays)
  const file = async (read: () => Promise<Job>, format: FileFormat) => fileAnswer(sql, await read(), format)
  return new Elysia({ name: 'rejects' }).get(
    '/:figura/_bulk/:id/rejects',
    ({ params, query, headers, request, set }) => {
      const format = query.format ?? accepted(headers.accept)
      const read = async () => {
        const job = await inTime(requireJob(sql, callerOf(request).figuras, params))
        if (isLive(job.status)) set.headers['cache-control'] = 'no-store'
        return job
      }
      return format === 'json' ? page(read, query) : file(read, format)
    },
    {
      params: JobParams,
      query: RejectsQuery,
      response: { 200: RejectsPage },
      detail: says({
        id: 'readRejects',
        summary: 'Read the rows that a job has left out',
        description:
          'In the order of the files: as JSON in pages; or all at once as CSV, NDJSON or parquet, by `format` or ' +
          'the header Accept. Such a file has the columns of the file that was sent, their values as texts, and ' +
          '`_file`, `_row`, `_column`, `_rule` and `_reason`. A job without such rows gives none.',
        tag: 'Jobs',
        scope: 'read',
        errors: ['query_invalid', 'job_unknown', 'figura_unknown', 'unavailable'],
      }),
    },
  )
}

async function readPage(sql: Sql, job: Job, query: RejectsQuery, rejectsDays: number): Promise<RejectsPage> {
  const limit = Number(query.limit ?? PAGE_ROWS)
  const after = query.cursor === undefined ? undefined : afterOf(query.cursor)
  // one more than asked for tells whether there is a next page
  const found = await inTime(readRejects(sql, job.id, { after, limit: limit + 1 }))
  const rejects = found.slice(0, limit)
  const last = found.length > limit ? rejects.at(-1) : undefined
  const kept = last || after ? undefined : found.length
  return {
    id: job.id,
    figura: job.figura,
    rejects: rejects.map(rejectView),
    next: last ? cursorAfter(last) : null,
    note: noteOf(job, { kept, rejectsDays }),
  }
}

/** `kept`: how many rows there are to read, where the page has all of them. */
function noteOf(job: Job, { kept, rejectsDays }: { kept?: number; rejectsDays: number }): string | null {
  const count = rejectedCount(job)
  if (count === 0 || isLive(job.status) || kept === count) return null
  if (kept === 0) return `Rows that were left out are kept for ${rejectsDays} days; these are deleted.`
  return job.status === 'erro' ? `Of the ${count} rows that were found, the first ones are kept.` : null
}

async function fileAnswer(sql: Sql, { id, contract, figura }: Job, format: FileFormat): Promise<Response> {
  const [names, definition] = await inTime(
    Promise.all([readRejectColumns(sql, id), readContract(sql, contract)]),
  )
  const columns = inOrder(names, definition)
  return new Response(rejectsFile(sql, { job: id, columns, format }), {
    headers: {
      'content-type': FILE_FORMATS[format],
      'content-disposition': `attachment; filename="${figura}-${id}-rejects.${format}"`,
      'cache-control': 'no-store',
    },
  })
}

/** The format that the header asks for: the first that there is; else JSON. */
function accepted(header = ''): FileFormat | 'json' {
  for (const part of header.split(',')) {
    const type = part.split(';')[0]?.trim().toLowerCase()
    if (type === 'application/json') return 'json'
    for (const format of ['csv', 'ndjson', 'parquet'] as const)
      if (type === FILE_FORMATS[format]) return format
  }
  return 'json'
}

/** The cursor of the page after a row. */
function cursorAfter({ file, row }: After): string {
  return Buffer.from(`${file}.${row}`).toString('base64url')
}

/** @throws BulkError query_invalid */
function afterOf(cursor: string): After {
  const [, file, row] = /^(\d{1,9})\.(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  const after = { file: Number(file), row: Number(row) }
  if (cursorAfter(after) === cursor) return after
  const expected = 'the `next` of an earlier page, as it was answered'
  throw invalid('query_invalid', [{ field: 'cursor', found: JSON.stringify(cursor), expected }])
}
