import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { fetchAhead } from '../../src/source/ahead.ts'
import { bytesOf, failure, type FileServer, open, serveFile, span, until } from './file-server.ts'

let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'ahead-'))))
afterAll(() => rmSync(dir, { recursive: true }))

const content = bytesOf(1_000_000)
const HELD = { start: 900_000, bytes: content.subarray(900_000) }
const PIECES = [span(0, 100_000), span(200_000, 300_000), span(400_000, 500_000), span(600_000, 700_000)]

describe('pieces of a file', () => {
  test('come one after the other, each with what all of them need', async () => {
    await using server = await serveFile(content)
    await using ahead = await start(server)
    for (const piece of PIECES) {
      const path = (await ahead.next()) ?? ''
      for (const { start, end } of [...piece, { start: 900_000, end: 1_000_000 }])
        expect(
          Buffer.compare(await Bun.file(path).slice(start, end).bytes(), content.subarray(start, end)),
        ).toBe(0)
      expect(Bun.file(path).size).toBe(1_000_000)
    }
    expect(await ahead.next()).toBeUndefined()
    expect(readdirSync(dir)).toEqual([])
    // the tail, and each piece once
    expect(server.asked).toHaveLength(5)
    expect(server.asked.slice(1).every(({ ifMatch }) => ifMatch === '"one"')).toBe(true)
  })

  test('are asked for while the one before is in use, and no earlier', async () => {
    await using server = await serveFile(content)
    await using ahead = await start(server)
    await ahead.ready()
    expect(server.ranges().slice(1)).toEqual(['bytes=0-99999'])
    await ahead.next()
    // nobody takes the next one, yet it comes
    await until(() => readdirSync(dir).length === 2 && server.asked.length === 3)
    await ahead.next()
    await until(() => server.asked.length === 4)
    expect(server.ranges().slice(1)).toEqual(['bytes=0-99999', 'bytes=200000-299999', 'bytes=400000-499999'])
    expect(readdirSync(dir)).toHaveLength(2)
  })

  test('leave no file and no request behind when they are given up', async () => {
    await using server = await serveFile(content, {
      lie: ({ number }, _, honest) => (number < 3 ? honest() : undefined),
    })
    const ahead = await start(server)
    await ahead.next()
    await until(() => server.asked.length === 3)
    await ahead[Symbol.asyncDispose]()
    expect(readdirSync(dir)).toEqual([])
    await until(() => server.connections() <= 1)
  })

  test('that cannot be had are told of when their turn comes', async () => {
    await using server = await serveFile(content, {
      lie: ({ number }, response, honest) => (number === 3 ? response.writeHead(412).end() : honest()),
    })
    await using ahead = await start(server)
    expect(await ahead.next()).toBeString()
    expect((await failure(ahead.next())).code).toBe('source_changed')
  })

  test('of which there are none are at an end at once', async () => {
    await using server = await serveFile(content)
    await using ahead = await start(server, [])
    await ahead.ready()
    expect(await ahead.next()).toBeUndefined()
  })
})

async function start(server: FileServer, pieces = PIECES) {
  const file = await open(server, `${server.origin}/um.parquet`)
  const path = (piece: number) => join(dir, `piece-${piece}`)
  return fetchAhead({ file, held: HELD, pieces }, { path, signal: new AbortController().signal })
}
