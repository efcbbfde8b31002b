import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createLocalFile, type LocalFile } from '../../src/source/ranged.ts'
import { bytesOf, failure, type FileServer, open, serveFile, span, thrown, until } from './file-server.ts'

let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'ranged-'))))
afterAll(() => rmSync(dir, { recursive: true }))

const MiB = 1024 * 1024

describe('a local file', () => {
  test('is as long as the source, and takes disk only for what was filled', async () => {
    const content = bytesOf(60 * MiB)
    await using server = await serveFile(content)
    await using local = await localFile(server)
    await local.fill(span(20 * MiB, 21 * MiB))
    const stat = statSync(local.path)
    expect(stat.size).toBe(60 * MiB)
    expect(stat.blocks * 512).toBeLessThan(2 * MiB)
    expect(await bytesAt(local, 20 * MiB, 21 * MiB)).toEqual(content.subarray(20 * MiB, 21 * MiB))
    expect(await bytesAt(local, 60 * MiB - 1000, 60 * MiB)).toEqual(content.subarray(-1000))
    expect(await bytesAt(local, 19 * MiB, 19 * MiB + 100)).toEqual(new Uint8Array(100))
    expect(server.asked).toHaveLength(2)
  })

  test('of a small file is whole without another request', async () => {
    const content = bytesOf(900)
    await using server = await serveFile(content)
    await using local = await localFile(server)
    await local.fill(span(0, 900))
    expect(await bytesAt(local, 0, 900)).toEqual(content)
    expect(server.asked).toHaveLength(1)
  })

  test('of an empty file is empty', async () => {
    await using server = await serveFile(new Uint8Array())
    await using local = await localFile(server)
    await local.fill(span(0, 0))
    expect(statSync(local.path).size).toBe(0)
  })

  test('asks once for ranges that lie close together, and apart for others', async () => {
    await using server = await serveFile(bytesOf(2 * MiB))
    await using local = await localFile(server)
    const ranges = [span(1_000_000, 1_100_000), span(0, 100), span(60_000, 70_000)].flat()
    await local.fill(ranges)
    expect(server.ranges().slice(1).toSorted()).toEqual(['bytes=0-69999', 'bytes=1000000-1099999'])
    await local.fill(ranges)
    expect(server.asked).toHaveLength(3)
  })

  test('asks for a large range in four parts at once', async () => {
    const content = bytesOf(100 * MiB)
    let open = 0
    let openMax = 0
    await using server = await serveFile(content, {
      lie: (_, response, honest) => {
        openMax = Math.max(openMax, ++open)
        response.on('close', () => open--)
        honest()
      },
    })
    await using local = await localFile(server)
    await local.fill(span(0, 100 * MiB))
    expect(server.asked).toHaveLength(5)
    expect(openMax).toBe(4)
    expect(Bun.hash(await Bun.file(local.path).bytes())).toBe(Bun.hash(content))
  })

  test('holds what was asked for, in any order and at once, and never asks twice for a byte', async () => {
    const content = bytesOf(3 * MiB)
    const range = fc.tuple(fc.nat(3 * MiB), fc.nat(400_000)).map(([start, length]) => ({
      start,
      end: Math.min(start + length, 3 * MiB),
    }))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(range, { maxLength: 4 }), { maxLength: 4 }), async (fills) => {
        await using server = await serveFile(content)
        await using local = await localFile(server)
        await Promise.all(fills.map((ranges) => local.fill(ranges)))
        for (const { start, end } of fills.flat()) {
          expect(Buffer.compare(await bytesAt(local, start, end), content.subarray(start, end))).toBe(0)
        }
        const asked = server
          .ranges()
          .slice(1)
          .map((one) => one.match(/\d+/g)!.map(Number))
        asked.sort((a, b) => a[0]! - b[0]!)
        for (const [at, [start]] of asked.entries()) expect(start).toBeGreaterThan(asked[at - 1]?.[1] ?? -1)
        expect(asked.at(-1)?.[1] ?? 0).toBeLessThan(3 * MiB - 1000)
      }),
      { numRuns: 25, seed: 20260101 },
    )
  })

  test('of a source without ranges is downloaded once, whole, when first something is needed', async () => {
    const content = bytesOf(5 * MiB)
    await using server = await serveFile(content, {
      lie: (_, response) => response.writeHead(200, { 'Content-Length': content.length }).end(content),
    })
    await using local = await localFile(server)
    expect(server.asked).toHaveLength(1)
    expect(statSync(local.path)).toMatchObject({ size: 5 * MiB, blocks: 0 })
    await local.fill(span(10, 20))
    await local.fill(span(0, 5 * MiB))
    expect(Bun.hash(await Bun.file(local.path).bytes())).toBe(Bun.hash(content))
    expect(server.ranges()).toEqual(['bytes=-1000', ''])
  })

  test('ends all its requests when one fails, and asks the next time only for what is missing', async () => {
    const content = bytesOf(5 * MiB)
    let broken = true
    await using server = await serveFile(content, {
      lie: ({ range, number }, response, honest) => {
        if (!broken || number === 1 || range === 'bytes=0-99') return honest()
        // the fifth is asked for when one of the first four is done
        if (range === 'bytes=4000000-4000099') return response.writeHead(404).end()
        const [from = 0, to = 0] = range.match(/\d+/g)!.map(Number)
        response.writeHead(206, { ETag: '"one"', 'Content-Range': `bytes ${from}-${to}/${content.length}` })
        response.flushHeaders()
      },
    })
    await using local = await localFile(server)
    const ranges = [0, 1, 2, 3, 4].map((at) => ({ start: at * 1_000_000, end: at * 1_000_000 + 100 }))
    expect((await failure(local.fill(ranges))).code).toBe('source_missing')
    await until(() => server.connections() <= 1)
    broken = false
    const before = server.asked.length
    await local.fill(ranges)
    expect(server.ranges().slice(before).toSorted()).toEqual(
      [1, 2, 3, 4].map((at) => `bytes=${at}000000-${at}000099`),
    )
    for (const { start, end } of ranges)
      expect(await bytesAt(local, start, end)).toEqual(content.subarray(start, end))
  })

  test('is gone after dispose(), which ends what is being fetched', async () => {
    let hanging = false
    await using server = await serveFile(bytesOf(MiB), {
      lie: ({ number }, _, honest) => (number === 1 ? honest() : void (hanging = true)),
    })
    const local = await localFile(server)
    const filling = local.fill(span(0, 100)).catch((error: Error) => error.message)
    await until(() => hanging)
    await local.dispose()
    expect(await filling).toBe('The local file was disposed of')
    expect(existsSync(local.path)).toBeFalse()
    await local.dispose()
    await until(() => server.connections() === 0)
  })

  test('stops when the signal says so, and can be filled after', async () => {
    const stop = new AbortController()
    let hang = true
    await using server = await serveFile(bytesOf(MiB), {
      lie: ({ number }, _, honest) => {
        if (number === 1 || !hang) return honest()
        stop.abort(new Error('enough'))
      },
    })
    await using local = await localFile(server)
    expect((await thrown(local.fill(span(0, 100), stop.signal))).message).toContain('enough')
    hang = false
    await local.fill(span(0, 100))
    expect(await bytesAt(local, 0, 100)).toEqual(bytesOf(100))
  })

  test('never takes the place of a file that is there', async () => {
    await using server = await serveFile(bytesOf(10))
    const path = join(dir, 'taken')
    writeFileSync(path, 'mine')
    expect(
      (await thrown(createLocalFile({ file: await open(server, url(server)), path }))).message,
    ).toContain('EEXIST')
    expect(await Bun.file(path).text()).toBe('mine')
  })
})

function url(server: FileServer): string {
  return `${server.origin}/um.parquet`
}

async function localFile(server: FileServer): Promise<LocalFile & AsyncDisposable> {
  const file = await open(server, url(server))
  const local = await createLocalFile({ file, path: join(dir, crypto.randomUUID()) })
  return { ...local, [Symbol.asyncDispose]: () => local.dispose() }
}

function bytesAt(local: LocalFile, start: number, end: number): Promise<Uint8Array> {
  return Bun.file(local.path).slice(start, end).bytes()
}
