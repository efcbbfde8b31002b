import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { coalesce, split, subtract } from '../../src/source/intervals.ts'

const ranges = fc.array(
  fc.tuple(fc.nat(60), fc.nat(12)).map(([start, length]) => ({ start, end: start + length })),
  { maxLength: 6 },
)

describe('ranges', () => {
  test('are joined when less than the gap lies between them', () => {
    const apart = [
      { start: 30, end: 40 },
      { start: 0, end: 10 },
      { start: 14, end: 20 },
      { start: 5, end: 5 },
    ]
    expect(coalesce(apart, 5)).toEqual([
      { start: 0, end: 20 },
      { start: 30, end: 40 },
    ])
    expect(coalesce(apart, 4)).toHaveLength(3)
    expect(coalesce(apart, 11)).toEqual([{ start: 0, end: 40 }])
    expect(apart[0]).toEqual({ start: 30, end: 40 })
  })

  test('joined or subtracted cover what sets of bytes would', () => {
    fc.assert(
      fc.property(ranges, ranges, (wanted, taken) => {
        const all = coalesce(wanted, 1)
        const left = subtract(all, coalesce(taken, 1))
        expect(bytesIn(all)).toEqual([...new Set(bytesIn(wanted))].toSorted((a, b) => a - b))
        expect(bytesIn(left)).toEqual(bytesIn(all).filter((byte) => !bytesIn(taken).includes(byte)))
      }),
      { seed: 20260101 },
    )
  })

  test('split into parts of about equal length that leave nothing out', () => {
    expect(split({ start: 10, end: 26 }, 16, 4)).toEqual([{ start: 10, end: 26 }])
    expect(split({ start: 10, end: 27 }, 16, 4)).toEqual([
      { start: 10, end: 18 },
      { start: 18, end: 27 },
    ])
    expect(split({ start: 0, end: 1000 }, 16, 4)).toEqual(
      [0, 250, 500, 750].map((start) => ({ start, end: start + 250 })),
    )
  })
})

function bytesIn(list: { start: number; end: number }[]): number[] {
  return list.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at))
}
