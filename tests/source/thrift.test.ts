import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { weighFooter } from '../../src/source/thrift.ts'
import { footer, schemaNode } from '../support/hostile.ts'
import { writeParquet } from '../support/parquet.ts'
import { freshFolder } from '../support/servers.ts'

describe('the footer of a parquet file', () => {
  test('is weighed by its nodes, row groups and column chunks, and measured by the levels of its columns', async () => {
    using folder = freshFolder()
    const path = join(folder.path, 'a.parquet')
    const footerOf = async (select: string, rowGroupRows?: number) => {
      await writeParquet(path, select, { rowGroupRows })
      const file = readFileSync(path)
      return file.subarray(file.length - 8 - file.readUInt32LE(file.length - 8), -8)
    }
    const one = weighFooter(await footerOf('select i as id from range(10_000) t(i)'))
    const five = weighFooter(await footerOf('select i as id from range(10_000) t(i)', 2048))
    expect(one?.depth).toBe(1)
    expect(five?.bytes).toBeGreaterThan(Number(one?.bytes) + 4 * 870)
    expect(five?.bytes).toBeLessThan(10_000)
    const nested = weighFooter(await footerOf(`select {a: {b: {c: 1}}} as s, 1 as x from range(3)`))
    expect(nested?.depth).toBe(4)
    expect(weighFooter(await footerOf(`select [[1]] as l, map {'a': 1} as m`))?.depth).toBe(5)
  })

  test('that ends too early, or claims more than it has, has no weight', () => {
    const whole = footer({ nodes: [schemaNode('schema', 1), schemaNode('id')] })
    expect(weighFooter(whole)).toEqual({ bytes: 900, depth: 1 })
    for (let end = 0; end < whole.length; end++) expect(weighFooter(whole.subarray(0, end))).toBeUndefined()
    for (const claimed of [3, 1_000_000, 2 ** 31 - 1, 2n ** 63n])
      expect(
        weighFooter(footer({ nodes: [schemaNode('schema', 1), schemaNode('id')], claimed })),
      ).toBeUndefined()
    expect(weighFooter(Buffer.alloc(1_000_000, 0x1c))).toBeUndefined()
  })
})
