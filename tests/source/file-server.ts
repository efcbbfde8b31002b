import { expect } from 'bun:test'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BulkError } from '../../src/errors.ts'
import { openSource, type OpenOptions, type Range, type SourceFile } from '../../src/source/source.ts'

type Asked = { method: string; url: string; range: string; ifMatch: string; encoding: string }

/** Answers a request in another way than an honest server; `honest` goes on with that one. Counted from 1. */
export type Lie = (request: Asked & { number: number }, response: ServerResponse, honest: () => void) => void

/**
 * A web server on loopback with one file under every path. It knows ranges and If-Match, and lies when told
 * to. Its paths look like a bucket's, so that it can stand for S3 too.
 */
export async function serveFile(content: Uint8Array, options: { etag?: string | null; lie?: Lie } = {}) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const one = askedOf(request)
    asked.push(one)
    const honest = () => answer(content, options.etag === undefined ? '"one"' : options.etag, one, response)
    if (options.lie) options.lie({ ...one, number: asked.length }, response, honest)
    else honest()
  })
  let connections = 0
  server.on('connection', (socket) => {
    connections++
    socket.on('close', () => connections--)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    asked,
    ranges: () => asked.map(({ range }) => range),
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type FileServer = Awaited<ReturnType<typeof serveFile>>

/** The two ways to one file server: what holds for one source has to hold for the other. */
export const WAYS = [
  ['a web server', (server: FileServer) => `${server.origin}/balde/um.parquet?X-Amz-Signature=${SECRET}`],
  ['a bucket', () => 's3://balde/um.parquet'],
] as const

/** Stands in each presigned URL of the tests; no error may show it. */
export const SECRET = 'canary0123456789'

/** Opens with a tail of 1,000 bytes and little patience. */
export function open(
  server: FileServer,
  url: string,
  options: Partial<OpenOptions> = {},
): Promise<SourceFile> {
  return openSource(url, {
    s3: {
      endpoint: server.origin,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: SECRET, sessionToken: undefined },
      forcePathStyle: true,
    },
    allowLoopback: true,
    tailBytes: 1000,
    patience: { connectMs: 2000, idleMs: 10_000, leastBytes: 0, retryMs: [1, 1] },
    ...options,
  })
}

/** Bytes that are different at every place within 64 KiB, so that no part can pass for another. */
export function bytesOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 17 + (at >> 16) * 7) & 255
  return bytes
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

/** One range, as a local file is filled with. */
export function span(start: number, end: number): Range[] {
  return [{ start, end }]
}

/** Writes a body no faster than it is taken, and tells how much was written. */
export function pour(response: ServerResponse, content: Uint8Array, written: (bytes: number) => void): void {
  let at = 0
  const go = (): void => {
    while (at < content.length && !response.destroyed) {
      const block = content.subarray(at, at + 65_536)
      at += block.length
      written(block.length)
      if (!response.write(block)) return void response.once('drain', go)
    }
    response.end()
  }
  go()
}

/** Resolves when the condition holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5)
}

/** The error that a promise is rejected with. */
export async function thrown(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  )
  return error instanceof Error ? error : new Error(String(error))
}

/** The BulkError that a promise is rejected with; it shows no secret. */
export async function failure(promise: Promise<unknown>): Promise<BulkError> {
  const error = await thrown(promise)
  if (!(error instanceof BulkError)) throw error
  expect(JSON.stringify(error.problem()) + Bun.inspect(error)).not.toContain(SECRET)
  return error
}

function askedOf({ method = '', url = '', headers }: IncomingMessage): Asked {
  return {
    method,
    url,
    range: headers.range ?? '',
    ifMatch: headers['if-match'] ?? '',
    encoding: String(headers['accept-encoding'] ?? ''),
  }
}

function answer(
  content: Uint8Array,
  etag: string | null,
  { method, range, ifMatch }: Asked,
  response: ServerResponse,
): void {
  if (etag !== null) response.setHeader('ETag', etag)
  // as a presigned URL does: it is signed for GET
  if (method !== 'GET') return void response.writeHead(403).end()
  if (ifMatch && ifMatch !== etag) return void response.writeHead(412).end()
  if (!range) return void response.writeHead(200, { 'Content-Length': content.length }).end(content)
  const part = partOf(range, content.length)
  if (!part) return void response.writeHead(416, { 'Content-Range': `bytes */${content.length}` }).end()
  const headers = {
    'Content-Range': `bytes ${part.start}-${part.end - 1}/${content.length}`,
    'Content-Length': part.end - part.start,
  }
  response.writeHead(206, headers).end(content.subarray(part.start, part.end))
}

function partOf(range: string, length: number): { start: number; end: number } | null {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? []
  const start = from ? Number(from) : Math.max(0, length - Number(to))
  const end = from && to ? Math.min(length, Number(to) + 1) : length
  return start < end ? { start, end } : null
}
