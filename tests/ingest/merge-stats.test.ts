import { describe, expect, test } from 'bun:test'
import { sumUp, type Counted } from '../../src/ingest/merge-stats.ts'

/** A load whose numbers add up: 100 rows of a file, 5 rejected, 10 beside another row with their key. */
const COUNTED: Counted = {
  promised: 100,
  copied: { read: 100, staged: 95, rejected: 5 },
  duplicates: 10,
  counts: { inserted: 40, updated: 20, deleted: 5, skipped: 20 },
  stale: 7,
  softDeleted: 3,
  removed: 12,
}

test('numbers that add up are the statistics', () => {
  const stats = sumUp(COUNTED)
  expect(stats).toEqual({
    read: 100,
    rejected: 5,
    duplicates: 10,
    staged: 85,
    inserted: 40,
    updated: 17,
    unchanged: 13,
    stale: 7,
    deleted: 8,
    removed: 12,
  })
  expect(sumUp({ ...COUNTED, promised: null })).toEqual(stats)
})

describe('numbers that do not add up stop the load:', () => {
  test.each<[string, Partial<Counted>]>([
    ['the footer says more', { promised: 101 }],
    ['a row was read and neither copied nor rejected', { copied: { read: 100, staged: 94, rejected: 5 } }],
    ['a row was rejected and copied all the same', { copied: { read: 100, staged: 95, rejected: 6 } }],
    ['a duplicate was merged', { duplicates: 11 }],
    ['a row was not merged', { counts: { ...COUNTED.counts, inserted: 39 } }],
    ['a row was merged twice', { counts: { ...COUNTED.counts, updated: 21 } }],
    ['more rows are stale than were left alone', { stale: 21 }],
    ['more rows are marked than were updated', { softDeleted: 21 }],
  ])('%s', (_, changed) => {
    expect(() => sumUp({ ...COUNTED, ...changed })).toThrow(
      expect.objectContaining({ code: 'statistics_differ', retry: 'later' }),
    )
  })
})
