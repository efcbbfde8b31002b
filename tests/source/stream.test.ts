import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'bun:test'
import { bytesOf, collect, failure, open, serveFile, WAYS } from './file-server.ts'

const CONTENT = bytesOf(50_000)

describe.each(WAYS)('a file of %s without ranges', (_, urlOf) => {
  test('begins anew when nothing of it was handed out', async () => {
    await using server = await serveFile(CONTENT, {
      lie: ({ number }, response) => (number === 2 ? response.writeHead(503).end() : whole(response)),
    })
    expect(await collect((await open(server, urlOf(server))).stream())).toEqual(CONTENT)
    expect(server.ranges()).toEqual(['bytes=-1000', '', ''])
  })

  test('fails when it breaks after that: nobody gets the first bytes twice', async () => {
    await using server = await serveFile(CONTENT, {
      lie: ({ number }, response) => (number === 2 ? whole(response, 20_000) : whole(response)),
    })
    const error = await failure(collect((await open(server, urlOf(server))).stream()))
    expect(error.code).toBe('source_truncated')
    expect(server.asked).toHaveLength(2)
  })

  test.each(['"two"', ''])('has changed when its ETag is %j later', async (etag) => {
    await using server = await serveFile(CONTENT, {
      lie: ({ number }, response) => whole(response, undefined, number === 1 ? '"one"' : etag),
    })
    expect((await failure(collect((await open(server, urlOf(server))).stream()))).code).toBe('source_changed')
  })
})

/** The range that is asked for, of a file with another ETag. */
const OTHER = { ETag: '"one"', 'Content-Range': 'bytes 0-8/50000', 'Content-Length': 9 }

test('a weak ETag is no promise of equal bytes: it is not sent, but a change of it is seen', async () => {
  await using server = await serveFile(CONTENT, {
    etag: 'W/"weak"',
    lie: ({ number }, response, honest) => (number === 3 ? response.writeHead(206, OTHER).end() : honest()),
  })
  const file = await open(server, `${server.origin}/um.parquet`)
  expect(file.etag).toBe('W/"weak"')
  await collect(file.read(0, 9))
  expect(server.asked.map(({ ifMatch }) => ifMatch)).toEqual(['', ''])
  expect((await failure(collect(file.read(0, 9)))).code).toBe('source_changed')
})

test('a file without an ETag is known by its length', async () => {
  await using server = await serveFile(CONTENT, { etag: null })
  const file = await open(server, `${server.origin}/um.parquet`)
  expect(file.etag).toBeNull()
  expect(await collect(file.stream())).toEqual(CONTENT)
})

function whole(response: ServerResponse, cutAt?: number, etag = '"one"'): void {
  response.writeHead(200, { ETag: etag, 'Content-Length': CONTENT.length })
  if (cutAt === undefined) response.end(CONTENT)
  else response.write(CONTENT.subarray(0, cutAt), () => response.destroy())
}
