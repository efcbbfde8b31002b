import { describe, expect, test } from 'bun:test'
import {
  bytesOf,
  collect,
  failure,
  type Lie,
  open,
  pour,
  SECRET,
  serveFile,
  thrown,
  until,
  WAYS,
} from './file-server.ts'

describe.each(WAYS)('%s', (_, urlOf) => {
  test('gives a small file with one request, and its bytes without another', async () => {
    const content = bytesOf(700)
    await using server = await serveFile(content)
    const file = await open(server, urlOf(server))
    expect(file).toMatchObject({ bytes: 700, etag: '"one"', tailStart: 0, ranged: true })
    expect(file.tail).toEqual(content)
    expect(await collect(file.read(3, 690))).toEqual(content.subarray(3, 690))
    expect(await collect(file.stream())).toEqual(content)
    expect(server.asked).toMatchObject([{ method: 'GET', range: 'bytes=-1000' }])
  })

  test('gives the length and the tail of a large file with one request, and ranges of it after', async () => {
    const content = bytesOf(50_000)
    await using server = await serveFile(content)
    const file = await open(server, urlOf(server))
    expect(file).toMatchObject({ bytes: 50_000, tailStart: 49_000, ranged: true })
    expect(file.tail).toEqual(content.subarray(49_000))
    expect(await collect(file.read(100, 200))).toEqual(content.subarray(100, 200))
    expect(await collect(file.read(48_990, 49_010))).toEqual(content.subarray(48_990, 49_010))
    expect(await collect(file.read(7, 7))).toBeEmpty()
    expect(await collect(file.stream())).toEqual(content)
    expect(server.ranges()).toEqual(['bytes=-1000', 'bytes=100-199', 'bytes=48990-48999', 'bytes=0-48999'])
    expect(server.asked.map(({ ifMatch }) => ifMatch)).toEqual(['', '"one"', '"one"', '"one"'])
  })

  test('is asked for the stored bytes, not for compressed ones', async () => {
    await using server = await serveFile(bytesOf(10))
    await open(server, urlOf(server))
    expect(server.asked[0]?.encoding).toBeOneOf(['identity', ''])
  })

  test('refuses a range that the file has not', async () => {
    await using server = await serveFile(bytesOf(10))
    const file = await open(server, urlOf(server))
    expect(await thrown(collect(file.read(0, 11)))).toBeInstanceOf(RangeError)
    expect(await thrown(collect(file.read(5, 4)))).toBeInstanceOf(RangeError)
  })

  test('may have no ranges: a large file is then streamed, and never held in memory', async () => {
    const content = bytesOf(32_000_000)
    let sent = 0
    await using server = await serveFile(content, {
      lie: ({ range }, response) => {
        response.writeHead(200, { ETag: '"one"', 'Content-Length': content.length })
        pour(response, content, (bytes) => (sent += range ? bytes : 0))
      },
    })
    const file = await open(server, urlOf(server))
    expect(file).toMatchObject({ bytes: 32_000_000, tailStart: 32_000_000, ranged: false })
    expect(file.tail).toBeEmpty()
    await until(() => server.connections() === 0)
    expect(sent).toBeLessThan(content.length)
    expect(Bun.hash(await collect(file.stream()))).toBe(Bun.hash(content))
    expect(server.ranges()).toEqual(['bytes=-1000', ''])
    expect((await thrown(collect(file.read(0, 10)))).message).toContain('read by stream()')
  })

  test('may have no ranges: a small file is there after one request all the same', async () => {
    const content = bytesOf(999)
    await using server = await serveFile(content, { lie: withoutRanges(content) })
    const file = await open(server, urlOf(server))
    expect(file).toMatchObject({ bytes: 999, tailStart: 0, ranged: false })
    expect(await collect(file.read(10, 20))).toEqual(content.subarray(10, 20))
    expect(await collect(file.stream())).toEqual(content)
    expect(server.asked).toHaveLength(1)
  })

  test.each<[string, Lie]>([
    ['416 and the length', (_, response) => response.writeHead(416, { 'Content-Range': 'bytes */0' }).end()],
    ['200 and no byte', (_, response) => response.writeHead(200, { 'Content-Length': 0 }).end()],
    [
      '416, and 200 without a range',
      ({ range }, response) => response.writeHead(range ? 416 : 200, { 'Content-Length': 0 }).end(),
    ],
  ])('has an empty file of length 0, told by %s', async (_, lie) => {
    await using server = await serveFile(new Uint8Array(), { lie })
    const file = await open(server, urlOf(server))
    expect(file).toMatchObject({ bytes: 0, tailStart: 0 })
    expect(await collect(file.stream())).toBeEmpty()
  })

  test.each<[string, Lie]>([
    [
      '416 when there are fewer',
      ({ range }, response, honest) => (range === 'bytes=-1000' ? refuse(response, 700) : honest()),
    ],
    [
      'the first of them',
      ({ range }, response, honest) => (range === 'bytes=-1000' ? part(response, 0, 400, 700) : honest()),
    ],
  ])('that answers "the last 1,000 bytes" with %s is asked by number', async (_, lie) => {
    const content = bytesOf(700)
    await using server = await serveFile(content, { lie })
    const file = await open(server, urlOf(server))
    expect(file.tail).toEqual(content)
    expect(server.ranges()).toEqual(['bytes=-1000', 'bytes=0-699'])
  })

  test('that sends all of a file for its last bytes is asked by number, and not listened to', async () => {
    const content = bytesOf(32_000_000)
    let sent = 0
    await using server = await serveFile(content, {
      lie: ({ number }, response, honest) => {
        if (number > 1) return honest()
        response.writeHead(206, { ETag: '"one"', 'Content-Range': `bytes 0-31999999/32000000` })
        pour(response, content, (bytes) => (sent += bytes))
      },
    })
    const file = await open(server, urlOf(server))
    expect(file.tail).toEqual(content.subarray(-1000))
    expect(server.ranges()).toEqual(['bytes=-1000', 'bytes=31999000-31999999'])
    await until(() => server.connections() === 1)
    expect(sent).toBeLessThan(content.length)
  })

  test.each([
    [401, 'source_denied', 1],
    [403, 'source_denied', 1],
    [400, 'source_denied', 1],
    [404, 'source_missing', 1],
    [410, 'source_missing', 1],
    [412, 'source_changed', 1],
    [301, 'source_refused', 1],
    [302, 'source_refused', 1],
    [307, 'source_refused', 1],
    [429, 'source_unreachable', 3],
    [500, 'source_unreachable', 3],
    [503, 'source_unreachable', 3],
  ] as const)('that answers %i is the error %s, after %i request(s)', async (status, code, requests) => {
    await using server = await serveFile(bytesOf(10), {
      lie: (_, response) =>
        response.writeHead(status, { Location: '/outro' }).end(`<Error><Message>${SECRET}</Message></Error>`),
    })
    const error = await failure(open(server, urlOf(server)))
    expect(error.code).toBe(code)
    expect(error.message).toContain(`HTTP ${status}`)
    expect(server.asked).toHaveLength(requests)
  })

  test('that fails once is asked once more', async () => {
    await using server = await serveFile(bytesOf(10), {
      lie: ({ number }, response, honest) => (number === 1 ? response.writeHead(503).end() : honest()),
    })
    expect((await open(server, urlOf(server))).bytes).toBe(10)
  })

  test('that is not there is unreachable', async () => {
    const server = await serveFile(bytesOf(10))
    await server[Symbol.asyncDispose]()
    const error = await failure(open(server, urlOf(server)))
    expect(error.code).toBe('source_unreachable')
    expect(error.message).toContain('ECONNREFUSED')
  })

  test('that sends fewer bytes than it promised has truncated the file', async () => {
    await using server = await serveFile(bytesOf(5000), { lie: cutAfter(100) })
    const error = await failure(open(server, urlOf(server)))
    expect(error.code).toBe('source_truncated')
    expect(error.message).toContain('found an end after 100 bytes, expected 1000 bytes')
    expect(server.asked).toHaveLength(3)
  })

  test('that states no length of a file without ranges is refused', async () => {
    await using server = await serveFile(bytesOf(10), {
      lie: (_, response) => response.writeHead(200).end('abc'),
    })
    const error = await failure(open(server, urlOf(server)))
    expect(error.code).toBe('source_refused')
    expect(error.message).toContain('expected a Content-Length')
  })

  test('is asked for the very file that was planned', async () => {
    await using server = await serveFile(bytesOf(10))
    expect((await open(server, urlOf(server), { expectedEtag: '"one"' })).bytes).toBe(10)
    const error = await failure(open(server, urlOf(server), { expectedEtag: '"other"' }))
    expect(error.code).toBe('source_changed')
    expect(server.asked.map(({ ifMatch }) => ifMatch)).toEqual(['"one"', '"other"'])
  })

  test('that ignores If-Match and has another file is found out', async () => {
    await using server = await serveFile(bytesOf(10), {
      lie: (_, response) => part(response.setHeader('ETag', '"new"'), 0, 10, 10),
    })
    const error = await failure(open(server, urlOf(server), { expectedEtag: '"old"' }))
    expect(error.code).toBe('source_changed')
    expect(error.message).toContain('found the ETag "new", expected "old"')
  })

  test('is given up when the signal says so, with its reason', async () => {
    const stop = new AbortController()
    await using server = await serveFile(bytesOf(10), { lie: () => stop.abort(new Error('enough')) })
    expect((await thrown(open(server, urlOf(server), { signal: stop.signal }))).message).toContain('enough')
    expect((await thrown(open(server, urlOf(server), { signal: stop.signal }))).message).toContain('enough')
    expect(server.asked).toHaveLength(1)
  })

  test('that does not answer is unreachable', async () => {
    await using server = await serveFile(bytesOf(10), { lie: () => {} })
    const patience = { connectMs: 20, idleMs: 30, leastBytes: 0, retryMs: [1] }
    const error = await failure(open(server, urlOf(server), { patience }))
    expect(error.code).toBe('source_unreachable')
    expect(error.message).toContain('no answer within 50 ms')
    expect(server.asked).toHaveLength(2)
  })
})

function withoutRanges(content: Uint8Array): Lie {
  return (_, response) =>
    response.setHeader('ETag', '"one"').writeHead(200, { 'Content-Length': content.length }).end(content)
}

function cutAfter(bytes: number): Lie {
  return (_, response) => {
    response.writeHead(206, {
      ETag: '"one"',
      'Content-Range': 'bytes 4000-4999/5000',
      'Content-Length': 1000,
    })
    response.write(new Uint8Array(bytes), () => response.destroy())
  }
}

function refuse(response: Parameters<Lie>[1], length: number): void {
  response.writeHead(416, { 'Content-Range': `bytes */${length}` }).end()
}

function part(response: Parameters<Lie>[1], start: number, end: number, length: number): void {
  response.writeHead(206, {
    'Content-Range': `bytes ${start}-${end - 1}/${length}`,
    'Content-Length': end - start,
  })
  response.end(bytesOf(length).subarray(start, end))
}
