import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { tellFormat } from '../../../src/ingest/formats/format.ts'
import { openStream, type StreamOptions } from '../../../src/ingest/formats/stream.ts'
import type { Format } from '../../../src/job.ts'
import { avroFile, avroRows } from '../../support/avro.ts'
import { smallFigura } from '../../support/figuras.ts'
import { type Lie, open, serveFile } from '../../source/file-server.ts'

const ROWS = 20_000
const csv = `id,nome\n${Array.from({ length: ROWS }, (_, id) => `${id},${Math.sin(id)}\n`).join('')}`
const schema = { type: 'record', name: 'r', fields: [{ name: 'id', type: 'int' }] }
const avro = avroFile(
  schema,
  avroRows(
    schema,
    Array.from({ length: ROWS }, (_, id) => ({ id })),
  ),
)
const FILES: [Format, Uint8Array][] = [
  ['csv', Buffer.from(csv)],
  ['csv', gzipSync(csv)],
  ['ndjson', Buffer.from(Array.from({ length: ROWS }, (_, id) => `{"id":${id}}\n`).join(''))],
  ['avro', avro],
]

const signal = new AbortController().signal

/** Reads all of a file, and gives its format and its rows. */
async function read(content: Uint8Array, lie: Lie | undefined, options: Partial<StreamOptions> = {}) {
  await using server = await serveFile(content, { lie })
  const source = await open(server, `${server.origin}/um`)
  const known = await tellFormat(source, signal)
  const given = { figura: smallFigura(), maxBytes: Infinity, splitBytes: null }
  const stream = await openStream(source, known, { ...given, ...options }, signal)
  let rows = 0
  for (const part of stream.parts ?? [undefined])
    for await (const segment of stream.read(['id'], signal, part).segments) rows += segment.rows
  return { format: known.format, rows }
}

describe('a file that is read as a stream comes whole', () => {
  test.each(FILES)('%s from a server without ranges', async (format, content) => {
    const whole: Lie = (_, response) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"one"' })
      response.end(content)
    }
    expect(await read(content, whole)).toEqual({ format, rows: ROWS })
  })

  test.each(FILES)('%s when the connection breaks on the way', async (format, content) => {
    let broken = 0
    const breaking: Lie = (request, response, honest) => {
      const start = /^bytes=(\d+)-/.exec(request.range)?.[1]
      if (start === undefined || request.number % 3 !== 0 || broken++ > 5) return honest()
      const from = Number(start)
      const end = content.length - 1001
      const headers = { 'content-range': `bytes ${from}-${end}/${content.length}`, etag: '"one"' }
      response.writeHead(206, { ...headers, 'content-length': end - from + 1 })
      response.write(content.subarray(from, from + Math.floor((end - from) / 2)), () => response.destroy())
    }
    expect(await read(content, breaking)).toEqual({ format, rows: ROWS })
  })

  test.each(FILES)('%s, or not at all, when the server goes away', async (_, content) => {
    const gone: Lie = (request, response, honest) => {
      if (request.number <= 1) return honest()
      response.destroy()
    }
    await expect(read(content, gone)).rejects.toMatchObject({ retry: 'source' })
  })
})

test('the parts of an avro file have all of its rows', async () => {
  expect(await read(avro, undefined, { splitBytes: 1 })).toEqual({ format: 'avro', rows: ROWS })
})
