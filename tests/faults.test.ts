import { expect, test } from 'bun:test'
import { BulkError } from '../src/errors.ts'
import { sortFault } from '../src/faults.ts'

const said = { subject: 'It', found: 'this', expected: 'that' }

test.each([
  ['never', ['23505', '22001', '42501', 'P0001', '54000']],
  [
    'later',
    ['08006', '40001', '40P01', '55P03', '57P01', '57P03', '57014', 'CONNECTION_CLOSED', 'ECONNRESET'],
  ],
  ['capacity', ['53100', '53200', '53300', 'ENOSPC', 'EDQUOT', 'EMFILE']],
  [undefined, ['XX000', '25006', 'ERR_SOMETHING', '530', '5310000']],
])('a fault is %s by its code', (sort, codes) => {
  for (const code of codes)
    expect([code, sortFault(Object.assign(new Error('x'), { code }))]).toEqual([code, sort])
})

test('a fault of ours is what its table says', () => {
  expect(sortFault(new BulkError('key_null', said))).toBe('never')
  expect(sortFault(new BulkError('source_unreachable', said))).toBe('source')
  expect(sortFault(new BulkError('source_truncated', said))).toBe('source')
  expect(sortFault(new BulkError('stage_lost', said))).toBe('later')
})

test('a full disk is known by what DuckDB says of it, and what says nothing is unforeseen', () => {
  const full = new Error('IO Error: Could not write file "/tmp/x": No space left on device')
  expect(sortFault(full)).toBe('capacity')
  expect(sortFault(new Error('Out of Memory Error: failed'))).toBe(undefined)
  expect(sortFault('a text')).toBe(undefined)
})
