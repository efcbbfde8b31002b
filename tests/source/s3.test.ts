import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { S3Config } from '../../src/config.ts'
import { createLocalFile } from '../../src/source/ranged.ts'
import { openSource } from '../../src/source/source.ts'
import { freshBucket, type FreshBucket, servers } from '../support/servers.ts'
import { bytesOf, collect, failure, span } from './file-server.ts'

const MiB = 1024 * 1024
const BIG = bytesOf(40 * MiB)
let bucket: FreshBucket
let counter: Awaited<ReturnType<typeof countRequests>>
let dir: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 's3-'))
  bucket = await freshBucket()
  counter = await countRequests(servers.s3.endpoint)
  await bucket.put('big', BIG)
})
afterAll(() => {
  counter.stop()
  rmSync(dir, { recursive: true })
})

describe('a bucket', () => {
  test('gives a small file with one request', async () => {
    const content = bytesOf(700)
    await bucket.put('small', content)
    const before = counter.asked.length
    const file = await openSource(bucket.url('small'), options())
    expect(file).toMatchObject({
      bytes: 700,
      tailStart: 0,
      ranged: true,
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
    })
    expect(file.tail).toEqual(content)
    expect(counter.asked.slice(before)).toEqual(['GET bytes=-1000'])
  })

  test('gives a part of a large file for a request more, and nothing else of it', async () => {
    const before = counter.asked.length
    const file = await openSource(bucket.url('big'), options())
    expect(await collect(file.read(1000, 2000))).toEqual(BIG.subarray(1000, 2000))
    expect(counter.asked.slice(before)).toEqual(['GET bytes=-1000', 'GET bytes=1000-1999'])
  })

  test('fills a local file by several requests at once', async () => {
    const file = await openSource(bucket.url('big'), options())
    const local = await createLocalFile({ file, path: join(dir, 'big') })
    const before = counter.asked.length
    await local.fill(span(0, 40 * MiB))
    expect(counter.asked.length - before).toBe(4)
    expect(Bun.hash(await Bun.file(local.path).bytes())).toBe(Bun.hash(BIG))
    await local.dispose()
  })

  test('streams a file in order', async () => {
    const file = await openSource(bucket.url('big'), options())
    expect(Bun.hash(await collect(file.stream()))).toBe(Bun.hash(BIG))
  })

  test('has an empty file', async () => {
    await bucket.put('empty', '')
    expect(await openSource(bucket.url('empty'), options())).toMatchObject({ bytes: 0, tailStart: 0 })
  })

  test('has keys of any letters, which are taken literally', async () => {
    const key = 'a b/ção%2F+=&~(1)*!/data=2026-01-01%2000%3A00/日本.parquet'
    await bucket.put(key, 'olá')
    const file = await openSource(bucket.url(key), options())
    expect(new TextDecoder().decode(file.tail)).toBe('olá')
  })

  test('tells that a file has changed since it was opened, and since it was planned', async () => {
    await bucket.put('changing', bytesOf(5000))
    const file = await openSource(bucket.url('changing'), options())
    await bucket.put('changing', bytesOf(5000).toReversed())
    expect((await failure(collect(file.read(0, 100)))).code).toBe('source_changed')
    const again = openSource(bucket.url('changing'), { ...options(), expectedEtag: file.etag })
    expect((await failure(again)).code).toBe('source_changed')
  })

  test('tells what is not there', async () => {
    const error = await failure(openSource(bucket.url('nada'), options()))
    expect(error.code).toBe('source_missing')
    expect(error.message).toContain(`${bucket.url('nada')}: found HTTP 404 NoSuchKey`)
    const elsewhere = await failure(openSource('s3://balde-que-nao-ha/nada', options()))
    expect(elsewhere.message).toContain('NoSuchBucket')
  })

  test('gives a presigned URL, whose signature no error shows', async () => {
    await bucket.put('signed', bytesOf(5000))
    const url = await bucket.presign('signed')
    const file = await openSource(url, options())
    expect(await collect(file.stream())).toEqual(bytesOf(5000))
    expect(file.name).not.toContain('Signature')
    const error = await failure(openSource(url.replace('/signed?', '/nada?'), options()))
    expect(error.code).toBe('source_missing')
    expect(error.message).not.toContain('Signature')
  })
})

function options() {
  const { accessKeyId, secretAccessKey, region } = servers.s3
  const s3: S3Config = {
    endpoint: counter.origin,
    region,
    credentials: { accessKeyId, secretAccessKey, sessionToken: undefined },
    forcePathStyle: true,
  }
  return { s3, allowLoopback: true, tailBytes: 1000 }
}

/** A server that hands every request on to the endpoint, and writes down what was asked. */
async function countRequests(endpoint: string) {
  const asked: string[] = []
  const server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.headers.range ?? ''}`)
    const { method, url, headers } = incoming
    const outgoing = request(`${endpoint}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    incoming.pipe(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return { asked, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop }
}
