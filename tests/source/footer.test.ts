import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { fetchFooter } from '../../src/source/footer.ts'
import { createLocalFile } from '../../src/source/ranged.ts'
import type { Range } from '../../src/source/source.ts'
import { duck, rowsOf, writeParquet } from '../support/parquet.ts'
import { bytesOf, failure, type Lie, open, serveFile, span } from './file-server.ts'

let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'footer-'))))
afterAll(() => rmSync(dir, { recursive: true }))

describe('the footer of a parquet file', () => {
  test('is there after the first request when the tail holds it', async () => {
    const { range, ranges } = await footerOf(withFooter(5000, 600))
    expect(range).toEqual({ start: 5004, end: 5612 })
    expect(ranges).toEqual(['bytes=-1000'])
  })

  test('takes a second request, for what is missing of it, when the tail was too short', async () => {
    const { range, ranges, local } = await footerOf(withFooter(5000, 3000))
    expect(range).toEqual({ start: 5004, end: 8012 })
    expect(ranges).toEqual(['bytes=-1000', 'bytes=5004-7011'])
    expect(Buffer.compare(local.subarray(5004), withFooter(5000, 3000).subarray(5004))).toBe(0)
  })

  test('is found in a file that comes without ranges', async () => {
    const content = withFooter(5000, 600)
    const { range, ranges, local } = await footerOf(content, {
      lie: (_, response) => response.writeHead(200, { 'Content-Length': content.length }).end(content),
    })
    expect(range).toEqual({ start: 5004, end: 5612 })
    expect(Buffer.compare(local, content)).toBe(0)
    expect(ranges).toEqual(['bytes=-1000', ''])
  })

  test('may be as long as the bound, and no longer', async () => {
    expect((await footerOf(withFooter(5000, 3000), { footerBytes: 3008 })).range.end).toBe(8012)
    const error = await failure(footerOf(withFooter(5000, 3000), { footerBytes: 3007 }))
    expect(error.code).toBe('file_too_large')
    expect(error.message).toContain('found a footer of 3008 bytes, expected at most 3007')
  })

  test.each([
    ['larger than the file', withLength(withFooter(5000, 600), 0xffff_ffff)],
    ['that begins within the magic', withLength(withFooter(0, 100), 101)],
    ['that has no room', text('PAR1PAR1')],
    ['that is missing', withFooter(5000, 600).subarray(0, 3000)],
  ])('%s makes the file a damaged one', async (_, content) => {
    expect((await failure(footerOf(content))).code).toBe('file_corrupt')
  })

  test.each<[string, Uint8Array, RegExp]>([
    ['an Avro file', text('Obj\u0001\u0004\u0014avro.codec'), /found an avro file/],
    ['gzip', gzipSync(bytesOf(3000)), /found a gzip archive/],
    ['zip', text('PK\u0003\u0004rest'), /found a zip archive/],
    ['CSV', text('id;nome\n1;São Paulo\n'.repeat(300)), /found a text, such as CSV/],
    ['JSON', text('\n[{"id": 1}]'), /found a text of JSON/],
    ['HTML', text('<!DOCTYPE html><html>'), /found a page of HTML/],
    ['the error of a bucket', text('<?xml version="1.0"?><Error>'), /found a text of XML/],
    ['ORC', text('ORC\u0001\u0002'), /found an ORC file/],
    [
      'an encrypted file',
      text(`PARE${'x'.repeat(40)}PARE`),
      /found an encrypted parquet file.*without encryption/,
    ],
    ['nothing', new Uint8Array(), /found an empty file/],
    [
      'anything else',
      bytesOf(3000),
      /begins with 00 1f 3e 5d and ends with [0-9a-f ]{11}, expected a parquet file/,
    ],
  ])('is missing in %s, and the error says what it looks like', async (_, content, message) => {
    const error = await failure(footerOf(content))
    expect(error.code).toBe('file_not_parquet')
    expect(error.message).toMatch(message)
  })
})

test('DuckDB reads one row group from a file that holds only that and the footer', async () => {
  const path = join(dir, 'lojas.parquet')
  await writeParquet(path, `select i as id, md5(i::varchar) as nome from range(200000) t(i)`, {
    rowGroupRows: 20480,
  })
  const content = await Bun.file(path).bytes()
  await using server = await serveFile(content)
  const file = await open(server, `${server.origin}/lojas.parquet`)
  const local = await createLocalFile({ file, path: join(dir, 'sparse.parquet') })
  await fetchFooter(file, local, { footerBytes: 1_000_000 })

  const connection = await duck()
  const groups = await rowsOf(
    connection,
    `select row_group_id,
       min(least(data_page_offset, coalesce(dictionary_page_offset, data_page_offset))) as start,
       sum(total_compressed_size) as bytes from parquet_metadata('${local.path}') group by 1 order by 1`,
  )
  const [start, bytes] = [Number(groups[3]?.start), Number(groups[3]?.bytes)]
  await local.fill(span(start, start + bytes))
  const where = `where file_row_number between 61440 and 81919`
  const read = (from: string) =>
    rowsOf(connection, `select * from read_parquet('${from}', file_row_number = true) ${where} order by id`)
  const rows = await read(local.path)
  expect(rows).toHaveLength(20480)
  expect(rows).toEqual(await read(path))
  const sent = server.asked
    .map(({ range }) => range.match(/\d+/g)!.map(Number))
    .map(([a = 0, b]) => (b ? b - a + 1 : a))
  expect(sent.reduce((sum, one) => sum + one)).toBeLessThan(bytes + 20_000)
  connection.closeSync()
  await local.dispose()
})

/** What looks like a parquet file: the magic, some data, a footer, its length, the magic. */
function withFooter(dataBytes: number, footerBytes: number): Uint8Array {
  const content = bytesOf(4 + dataBytes + footerBytes + 8)
  content.set(text('PAR1'))
  content.set(text('PAR1'), content.length - 4)
  // nothing is in it: what follows the end of a footer is passed
  content[4 + dataBytes] = 0
  return withLength(content, footerBytes)
}

function withLength(content: Uint8Array, footerBytes: number): Uint8Array {
  new DataView(content.buffer).setUint32(content.length - 8, footerBytes, true)
  return content
}

async function footerOf(content: Uint8Array, options: { lie?: Lie; footerBytes?: number } = {}) {
  await using server = await serveFile(content, options)
  const file = await open(server, `${server.origin}/um.parquet`)
  const local = await createLocalFile({ file, path: join(dir, crypto.randomUUID()) })
  try {
    const range: Range = await fetchFooter(file, local, { footerBytes: options.footerBytes ?? 100_000 })
    return { range, ranges: server.ranges(), local: await Bun.file(local.path).bytes() }
  } finally {
    await local.dispose()
  }
}

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}
