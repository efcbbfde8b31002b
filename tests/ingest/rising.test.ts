import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { lastOfRising } from '../../src/ingest/rising.ts'

type Width = 2 | 4 | 8 | 16

/** Whole numbers as DuckDB stores them: little endian, signed. */
function stored(keys: bigint[], width: Width) {
  const data = new Uint8Array(keys.length * width)
  const view = new DataView(data.buffer)
  for (const [row, key] of keys.entries()) {
    for (let byte = 0; byte < width; byte++)
      view.setUint8(row * width + byte, Number(BigInt.asUintN(8, key >> BigInt(byte * 8))))
  }
  return { data, valid: null }
}

function rises(chunks: bigint[][], width: Width): boolean {
  let last: ReturnType<typeof lastOfRising>
  for (const keys of chunks) {
    last = lastOfRising(stored(keys, width), keys.length, last)
    if (last === undefined) return false
  }
  return true
}

describe.each([2, 4, 8, 16] as const)('keys of %i bytes', (width) => {
  const bits = width * 8
  const key = fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n })
  // near one another, so that they differ in one word alone, or not at all
  const near = fc.tuple(key, fc.integer({ min: -2, max: 2 })).map(([base, by]) => {
    return BigInt.asIntN(bits, base + BigInt(by))
  })
  const chunk = fc.array(fc.oneof(key, near, fc.constantFrom(-1n, 0n, 1n)), { minLength: 1, maxLength: 8 })

  test('rise exactly when each is above the one before, within a chunk and from one to the next', () => {
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 4 }), fc.boolean(), (chunks, sorted) => {
        const keys = chunks.flat()
        if (sorted) keys.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        let at = 0
        const cut = chunks.map(({ length }) => keys.slice(at, (at += length)))
        const expected = keys.every((one, row) => row === 0 || one > keys[row - 1]!)
        expect(rises(cut, width)).toBe(expected)
      }),
      { seed: 7, numRuns: 500 },
    )
  })

  test('do not rise where one is null, or stands there twice', () => {
    expect(lastOfRising({ ...stored([1n, 2n], width), valid: new Uint8Array([1]) }, 2)).toBeUndefined()
    expect(rises([[1n, 2n], [2n]], width)).toBe(false)
    expect(rises([[1n, 1n]], width)).toBe(false)
  })
})
