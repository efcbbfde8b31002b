import { describe, expect, test } from 'bun:test'
import { BulkError } from '../../src/errors.ts'
import { fileError } from '../../src/ingest/file-error.ts'
import { JobLost } from '../../src/ingest/lease.ts'
import { exhausted, judge } from '../../src/ingest/settle.ts'

const FIRST = { tries: 1, triesMax: 5 }
const LAST = { tries: 5, triesMax: 5 }

describe('an error of PostgreSQL', () => {
  // each as PostgreSQL gave it: two rows of the stage for one of the table, a null, a trigger, an index entry too large
  test.each(['21000', '23502', 'P0001', '54000', '44000'])(
    'that comes at every try ends the job: %s',
    (code) => {
      const error = Object.assign(new Error('refused'), { code })
      expect(judge(error, FIRST)).toMatchObject({ kind: 'fail', error: { code: 'table_refused' } })
    },
  )

  test.each(['53100', '53300', 'ENOSPC'])(
    'that is want of room is waited for, even at the last try: %s',
    (code) => {
      const error = Object.assign(new Error('full'), { code })
      expect(judge(error, LAST)).toEqual({ kind: 'put off', reason: 'capacity' })
    },
  )

  test.each(['40P01', '57P01', '25006', 'CONNECTION_CLOSED'])('that may pass is tried again: %s', (code) => {
    const error = Object.assign(new Error('not now'), { code })
    expect(judge(error, FIRST)).toEqual({ kind: 'retry', delayMs: 1000 })
    expect(judge(error, LAST)).toMatchObject({ kind: 'fail', error: { code: 'attempts_exhausted' } })
  })
})

test('work that belongs to somebody else is dropped, even at the last try', () => {
  expect(judge(new JobLost(), LAST)).toEqual({ kind: 'drop' })
})

test('the last error of a job is told without paths of the machine and without advice for other programs', () => {
  const missing = new Error(`ENOENT: no such file or directory, open '/tmp/bulk/worker-7/x.parquet'`)
  expect(exhausted(5, missing).message).toContain(`open '…'`)
  const memory = new Error(
    'Out of Memory Error: failed (63.9 MiB/64.0 MiB used)\n\nPossible solutions: SET threads=X',
  )
  expect(exhausted(5, memory).message).toContain('failed (63.9 MiB/64.0 MiB used)", expected')
  const said = { subject: 'https://a.example/b/c.parquet', found: 'no answer', expected: 'one' }
  expect(exhausted(5, new BulkError('source_unreachable', said)).message).toContain(said.subject)
})

test('a full disk of the worker is not taken for a damaged file', () => {
  const full = new Error('IO Error: Could not write file "/tmp/bulk/duckdb-1": No space left on device')
  const source = { name: 's3://b/k' } as Parameters<typeof fileError>[0]
  expect(fileError(source, full)).toBe(full)
  const damaged = new Error('Invalid Input Error: No magic bytes found at end of file')
  expect(fileError(source, damaged)).toMatchObject({ code: 'file_corrupt' })
})
