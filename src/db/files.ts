import type { Sql, Transaction } from './postgres.ts'

/** A file of a job of several, as it was when the job was planned. */
export type PlannedFile = {
  url: string
  bytes: number
  etag: string | null
  rows: number | null
  rowGroups: number
}

/** Keeps what the files of a job are, in their order; what an earlier plan said of them is forgotten. */
export async function recordFiles(tx: Transaction, job: string, files: PlannedFile[]): Promise<void> {
  await tx`delete from bulk.file where job = ${job}`
  const rows = files.map(({ rowGroups, ...file }, no) => ({ job, no, ...file, row_groups: rowGroups }))
  for (let at = 0; at < rows.length; at += 5000)
    await tx`insert into bulk.file ${tx(rows.slice(at, at + 5000))}`
}

/** A file of a job, as it was planned. */
export async function readFile(
  sql: Sql,
  job: string,
  no: number,
): Promise<{ url: string; etag: string | null; bytes: number | null } | undefined> {
  const [file] = await sql<{ url: string; etag: string | null; bytes: number | null }[]>`
    select url, etag, bytes from bulk.file where job = ${job} and no = ${no}
  `
  return file
}
