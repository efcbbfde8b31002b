import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'bun:test'
import {
  bytesOf,
  collect,
  failure,
  type FileServer,
  type Lie,
  open,
  pour,
  serveFile,
  thrown,
  until,
  WAYS,
} from './file-server.ts'

const CONTENT = bytesOf(50_000)
const SHORT = { connectMs: 2000, idleMs: 100, leastBytes: 0, retryMs: [1, 1] }

describe.each(WAYS)('a file of %s', (_, urlOf) => {
  const opened = (server: FileServer) => open(server, urlOf(server))

  test('is read on from where the connection broke', async () => {
    await using server = await serveFile(CONTENT, {
      lie: ({ number }, response, honest) => (number === 2 ? breakAfter(response, 300) : honest()),
    })
    const file = await opened(server)
    expect(await collect(file.read(100, 1000))).toEqual(CONTENT.subarray(100, 1000))
    expect(server.ranges()).toEqual(['bytes=-1000', 'bytes=100-999', 'bytes=400-999'])
  })

  test('is given up when it breaks for the third time', async () => {
    await using server = await serveFile(CONTENT, {
      lie: ({ number }, response, honest) => (number >= 2 ? breakAfter(response, 10, number) : honest()),
    })
    const error = await failure(collect((await opened(server)).read(100, 1000)))
    expect(error.code).toBe('source_truncated')
    expect(server.ranges().slice(1)).toEqual(['bytes=100-999', 'bytes=110-999', 'bytes=120-999'])
  })

  test('may break once in every MiB, however long it is', async () => {
    const content = bytesOf(10_000_000)
    await using server = await serveFile(content, {
      lie: ({ range }, response, honest) => {
        const from = Number(/^bytes=(\d+)/.exec(range)?.[1] ?? NaN)
        if (!(from + 1_200_000 < content.length)) return honest()
        response.writeHead(206, rangeHeaders(from, content.length - 1000, content.length))
        response.write(content.subarray(from, from + 1_200_000), () => response.destroy())
      },
    })
    const file = await opened(server)
    expect(Bun.hash(await collect(file.stream()))).toBe(Bun.hash(content))
    expect(server.asked.length).toBeGreaterThan(6)
  })

  test('may come in shorter ranges than were asked for', async () => {
    await using server = await serveFile(CONTENT, {
      lie: ({ range }, response, honest) => {
        const from = Number(/^bytes=(\d+)/.exec(range)?.[1] ?? NaN)
        if (Number.isNaN(from)) return honest()
        const to = Math.min(from + 400, 1000)
        response.writeHead(206, rangeHeaders(from, to)).end(CONTENT.subarray(from, to))
      },
    })
    expect(await collect((await opened(server)).read(0, 1000))).toEqual(CONTENT.subarray(0, 1000))
    expect(server.ranges().slice(1)).toEqual(['bytes=0-999', 'bytes=400-999', 'bytes=800-999'])
  })

  test.each<[string, string, (response: ServerResponse) => unknown]>([
    [
      'another ETag',
      'source_changed',
      (response) => response.writeHead(206, rangeHeaders(0, 100, 50_000, '"two"')),
    ],
    [
      'no ETag',
      'source_changed',
      (response) => response.writeHead(206, { ...rangeHeaders(0, 100), ETag: '' }),
    ],
    ['another length', 'source_changed', (response) => response.writeHead(206, rangeHeaders(0, 100, 50_001))],
    ['412', 'source_changed', (response) => response.writeHead(412)],
    ['416', 'source_changed', (response) => response.writeHead(416)],
    ['404', 'source_missing', (response) => response.writeHead(404)],
    ['403', 'source_denied', (response) => response.writeHead(403)],
  ])('that is suddenly answered with %s is %s at once', async (_, code, lie) => {
    await using server = await serveFile(CONTENT, {
      lie: onceOpen((response) => (lie(response), response.end())),
    })
    expect((await failure(collect((await opened(server)).read(0, 100)))).code as string).toBe(code)
    expect(server.asked).toHaveLength(2)
  })

  test.each<[string, string, (response: ServerResponse) => unknown]>([
    ['other bytes', 'bytes 1 to 99 in 99 bytes', (response) => response.writeHead(206, rangeHeaders(1, 100))],
    [
      'more bytes',
      'bytes 0 to 100 in 101 bytes',
      (response) => response.writeHead(206, rangeHeaders(0, 101)),
    ],
    [
      'a length of its own',
      'bytes 0 to 99 in 90 bytes',
      (response) => response.writeHead(206, { ...rangeHeaders(0, 100), 'Content-Length': 90 }),
    ],
    [
      'no Content-Range',
      'an answer without a range',
      (response) => response.writeHead(206, { ETag: '"one"' }),
    ],
    ['the whole file', 'an answer without a range', (response) => response.writeHead(200, { ETag: '"one"' })],
  ])('that is answered with %s does not count as read', async (_, found, lie) => {
    await using server = await serveFile(CONTENT, {
      lie: onceOpen((response) => (lie(response), response.end(CONTENT))),
    })
    const error = await failure(collect((await opened(server)).read(0, 100)))
    expect(error.code).toBe('source_unreachable')
    expect(error.message).toContain(`found ${found}, expected bytes 0 to 99`)
  })

  test('that is longer than its headers say does not count as read', async () => {
    await using server = await serveFile(CONTENT, {
      lie: onceOpen((response) => {
        // chunked, so that no Content-Length ends it
        response.writeHead(206, { ETag: '"one"', 'Content-Range': 'bytes 0-99/50000' })
        response.write(CONTENT.subarray(0, 120))
        response.end()
      }),
    })
    const error = await failure(collect((await opened(server)).read(0, 100)))
    expect(error.message).toContain('more than 100 bytes')
  })

  test('that is shorter than its headers say, in chunks that end well, has been truncated', async () => {
    await using server = await serveFile(CONTENT, {
      lie: onceOpen((response) => {
        response.writeHead(206, { ETag: '"one"', 'Content-Range': 'bytes 0-99/50000' })
        response.end(new Uint8Array())
      }),
    })
    const error = await failure(collect((await opened(server)).read(0, 100)))
    expect(error.code).toBe('source_truncated')
  })

  test('is unreachable when its server falls silent', async () => {
    await using server = await serveFile(CONTENT, {
      lie: onceOpen((response) =>
        response.writeHead(206, rangeHeaders(0, 100)).write(CONTENT.subarray(0, 10)),
      ),
    })
    const file = await open(server, urlOf(server), { patience: { ...SHORT, retryMs: [] } })
    const error = await failure(collect(file.read(0, 100)))
    expect(error.code).toBe('source_unreachable')
    expect(error.message).toContain('no byte within 100 ms')
    await until(() => server.connections() === 0)
  })

  test('waits for its reader as long as that takes', async () => {
    const content = bytesOf(4_000_000)
    await using server = await serveFile(content)
    const file = await open(server, urlOf(server), { patience: { ...SHORT, retryMs: [] } })
    let read = 0
    for await (const bytes of file.read(0, 3_999_000)) {
      // three times longer than a server may be silent
      if (read === 0) await Bun.sleep(300)
      read += bytes.length
    }
    expect(read).toBe(3_999_000)
    expect(server.asked).toHaveLength(2)
  })

  test('is sent no faster than it is read, and no more once the reader stops', async () => {
    const block = bytesOf(200_000_000)
    let sent = 0
    await using server = await serveFile(block, {
      lie: onceOpen((response) => {
        response.writeHead(206, rangeHeaders(0, 199_999_000, block.length))
        pour(response, block.subarray(0, 199_999_000), (bytes) => (sent += bytes))
      }),
    })
    const reader = (await opened(server)).read(0, 199_999_000)[Symbol.asyncIterator]()
    await reader.next()
    for (let before = -1; before !== sent; before = sent) await Bun.sleep(50)
    await reader.return?.()
    expect(sent).toBeLessThan(32_000_000)
    await until(() => server.connections() === 0)
  })

  test('that is not the one of before is not even received', async () => {
    const other = bytesOf(64_000_000)
    let sent = 0
    await using server = await serveFile(CONTENT, {
      lie: onceOpen((response) => {
        response.writeHead(206, rangeHeaders(0, other.length, other.length))
        pour(response, other, (bytes) => (sent += bytes))
      }),
    })
    expect((await failure(collect((await opened(server)).read(0, 100)))).code).toBe('source_changed')
    await until(() => server.connections() === 0)
    expect(sent).toBeLessThan(32_000_000)
  })

  test('uses a connection for one range after the other', async () => {
    await using server = await serveFile(CONTENT)
    const file = await opened(server)
    for (let at = 0; at < 5; at++) await collect(file.read(at * 100, at * 100 + 100))
    expect(server.asked).toHaveLength(6)
    expect(server.connections()).toBe(1)
  })

  test.each(['while it waits for an answer', 'while it waits for bytes', 'while it waits to try again'])(
    'is let go when the signal says so, %s',
    async (when) => {
      const stop = new AbortController()
      await using server = await serveFile(CONTENT, {
        lie: onceOpen((response) => {
          if (when.endsWith('bytes'))
            response.writeHead(206, rangeHeaders(0, 100)).write(CONTENT.subarray(0, 10))
          if (when.endsWith('again')) response.writeHead(503).end()
          setTimeout(() => stop.abort(new Error('enough')), 20)
        }),
      })
      const file = await open(server, urlOf(server), {
        patience: { connectMs: 2000, idleMs: 10_000, leastBytes: 0, retryMs: [10_000] },
      })
      expect((await thrown(collect(file.read(0, 100, stop.signal)))).message).toContain('enough')
      await until(() => when.endsWith('again') || server.connections() === 0)
    },
  )
})

/** Opens honestly, and lies from then on. */
function onceOpen(lie: (response: ServerResponse) => unknown): Lie {
  return ({ number }, response, honest) => void (number === 1 ? honest() : lie(response))
}

function rangeHeaders(start: number, end: number, length = 50_000, etag = '"one"') {
  return { ETag: etag, 'Content-Range': `bytes ${start}-${end - 1}/${length}`, 'Content-Length': end - start }
}

/**
 * Answers `bytes=from-999` with the first bytes of it only. `number` counts requests, the second being the
 * first range.
 */
function breakAfter(response: ServerResponse, bytes: number, number = 2): void {
  const from = 100 + (number - 2) * bytes
  response.writeHead(206, rangeHeaders(from, 1000))
  response.write(CONTENT.subarray(from, from + bytes), () => response.destroy())
}
