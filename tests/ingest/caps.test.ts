import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openDuckdb } from '../../src/db/duckdb.ts'
import { readShape } from '../../src/ingest/shape.ts'
import { type InProcess, startInProcess } from '../support/in-process.ts'

let process: InProcess
beforeAll(async () => {
  process = await startInProcess({
    FILE_MAX_COLUMNS: '300',
    FILE_EXPANDED_MAX_GB: '1',
    FILE_MAX_ROWS: '100000',
  })
})
afterAll(() => process[Symbol.asyncDispose]())

const figura = () => process.figura('coisas', { id: 'bigint' })
const wide = (columns: number) =>
  Array.from({ length: columns }, (_, no) => (no === 0 ? '1 as id' : `1 as c${no}`)).join()

describe('before a row of it is read, a file is refused for', () => {
  test('more columns than a file may have', async () => {
    const few = await process.load(figura(), await process.write('few', `select ${wide(300)}`))
    expect(few.status).toBe('completo')
    const many = await process.load(figura(), await process.write('many', `select ${wide(301)}`))
    expect(many).toMatchObject({ status: 'erro', attempts: 1, error: { code: 'file_too_large' } })
    expect(many.error?.detail).toContain('found 301 columns, expected at most 300 (FILE_MAX_COLUMNS)')
  })

  test('more columns of a CSV', async () => {
    const names = ['id', ...Array.from({ length: 300 }, (_, no) => `c${no}`)]
    const path = process.put('many.csv', `${names.join()}\n${names.map(() => 1).join()}\n`)
    const ended = await process.load(figura(), path)
    expect(ended).toMatchObject({ status: 'erro', error: { code: 'file_too_large' } })
  })

  test('more bytes than its footer may state', async () => {
    const path = await process.write('bytes', 'select i as id, md5(i::varchar) as nome from range(5000) t(i)')
    await using duckdb = await openOwn()
    const look = (fileExpandedBytes: number) =>
      readShape(duckdb, path, { name: 'bytes', bounds: { fileColumns: 10, fileExpandedBytes } })
    const { shape } = await look(1_000_000)
    const bytes = shape.rowGroups[0]?.bytes ?? 0
    expect(bytes).toBeGreaterThan(5000 * 32)
    await look(bytes)
    await expect(look(bytes - 1)).rejects.toThrow(`found ${bytes} bytes uncompressed, as the footer says`)
  })

  test('more rows', async () => {
    const ended = await process.load(
      figura(),
      await process.write('rows', 'select i as id from range(100001) t(i)'),
    )
    expect(ended).toMatchObject({ status: 'erro', attempts: 1, error: { code: 'file_too_large' } })
  })
})

async function openOwn() {
  const duckdb = await openDuckdb({ workDir: process.folder, memoryBytes: 64 * 1024 * 1024 })
  return { ...duckdb, [Symbol.asyncDispose]: duckdb.close }
}
