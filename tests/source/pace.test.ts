import { describe, expect, test } from 'bun:test'
import { bytesOf, collect, failure, type Lie, open, serveFile, WAYS } from './file-server.ts'

const CONTENT = bytesOf(50_000)
const PATIENCE = { connectMs: 2000, idleMs: 200, leastBytes: 10_000, retryMs: [] }

describe.each(WAYS)('a file of %s', (_, urlOf) => {
  test('that drips is given up, though it is never silent', async () => {
    await using server = await serveFile(CONTENT, { lie: drip({ bytes: 10, everyMs: 10 }) })
    const file = await open(server, urlOf(server), { patience: PATIENCE })
    const error = await failure(collect(file.read(0, 20_000)))
    expect(error.code).toBe('source_unreachable')
    expect(error.message).toMatch(/found \d+ bytes in 2\d\d ms, expected \d+ at the least/)
  })

  test('that is slow, and not too slow, is read', async () => {
    await using server = await serveFile(CONTENT, { lie: drip({ bytes: 1000, everyMs: 25 }) })
    const file = await open(server, urlOf(server), { patience: PATIENCE })
    expect(await collect(file.read(0, 20_000))).toEqual(CONTENT.subarray(0, 20_000))
  })

  test('is not held to the pace of its reader', async () => {
    await using server = await serveFile(CONTENT)
    const file = await open(server, urlOf(server), { patience: { ...PATIENCE, leastBytes: 1_000_000 } })
    let read = 0
    for await (const bytes of file.read(0, 40_000)) {
      read += bytes.length
      await Bun.sleep(300)
    }
    expect(read).toBe(40_000)
  })
})

describe('a file of a web server without ETags', () => {
  const urlOf = ({ origin }: { origin: string }) => `${origin}/a`
  const times = ['Thu, 01 Jan 2026 00:00:00 GMT', 'Thu, 01 Jan 2026 00:00:01 GMT']
  const dated: Lie = ({ number }, response, honest) => {
    response.setHeader('Last-Modified', times[number > 2 ? 1 : 0] ?? '')
    honest()
  }

  test('is known by the time of its last change, from one range to the next', async () => {
    await using server = await serveFile(CONTENT, { etag: null, lie: dated })
    const file = await open(server, urlOf(server))
    expect(file.etag).toBe(`Last-Modified: ${times[0]}`)
    expect(await collect(file.read(0, 10))).toEqual(CONTENT.subarray(0, 10))
    const error = await failure(collect(file.read(0, 10)))
    expect([error.code, error.finding]).toEqual([
      'source_changed',
      `${file.name}: found Last-Modified: ${times[1]}, expected the Last-Modified: ${times[0]} of before`,
    ])
  })

  test('is the same for whoever opens it later, or refused', async () => {
    await using server = await serveFile(CONTENT, { etag: null, lie: dated })
    const expectedEtag = (await open(server, urlOf(server))).etag
    await open(server, urlOf(server), { expectedEtag })
    const error = await failure(open(server, urlOf(server), { expectedEtag }))
    expect(error.code).toBe('source_changed')
    expect(server.asked.map(({ ifMatch }) => ifMatch)).toEqual(['', '', ''])
  })
})

/** The head at once, and the body of each range by and by; the tail comes as an honest server sends it. */
function drip({ bytes, everyMs }: { bytes: number; everyMs: number }): Lie {
  return ({ range }, response, honest) => {
    const [, start, end] = /^bytes=(\d+)-(\d+)/.exec(range)?.map(Number) ?? []
    if (start === undefined || end === undefined) return honest()
    response.writeHead(206, {
      ETag: '"one"',
      'Content-Range': `bytes ${start}-${end}/${CONTENT.length}`,
      'Content-Length': end + 1 - start,
    })
    let at = start
    const timer = setInterval(() => {
      response.write(CONTENT.subarray(at, Math.min(at + bytes, end + 1)))
      at += bytes
      if (at <= end) return
      clearInterval(timer)
      response.end()
    }, everyMs)
    response.on('close', () => clearInterval(timer))
  }
}
