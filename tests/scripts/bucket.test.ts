import { expect, test } from 'bun:test'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { startBucket } from '../../scripts/bucket.ts'
import { freshBucket, freshFolder } from '../support/servers.ts'

// What the patch of fauxqs mends; each of these fails without it.

test('a suffix range that is longer than the object gets all of it, as from S3', async () => {
  const bucket = await freshBucket()
  await bucket.put('short', 'abc')
  const answer = await fetch(await bucket.presign('short'), { headers: { range: 'bytes=-100' } })
  expect(answer.status).toBe(206)
  expect(answer.headers.get('content-range')).toBe('bytes 0-2/3')
  expect(await answer.text()).toBe('abc')
})

test('a range of an object that is larger than any memory is read alone', async () => {
  using folder = freshFolder()
  const bytes = 2 ** 40 // a hole in the file: it takes no disk
  const first = await startBucket({ dir: folder.path })
  await fetch(`${first.endpoint}/large`, { method: 'PUT' })
  await fetch(`${first.endpoint}/large/object`, { method: 'PUT', body: 'begin' })
  await first.stop()
  const object = join(folder.path, 'buckets/large/objects/object')
  const meta = JSON.parse(readFileSync(`${object}.meta.json`, 'utf8'))
  writeFileSync(`${object}.meta.json`, JSON.stringify({ ...meta, contentLength: bytes }))
  truncateSync(`${object}.data`, bytes)

  const second = await startBucket({ dir: folder.path })
  const answer = await fetch(`${second.endpoint}/large/object`, { headers: { range: 'bytes=0-4' } })
  expect(answer.headers.get('content-range')).toBe(`bytes 0-4/${bytes}`)
  expect(await answer.text()).toBe('begin')
  await second.stop()
})

test('the bucket listens on loopback alone', async () => {
  using folder = freshFolder()
  const bucket = await startBucket({ dir: folder.path })
  const others = Object.values(networkInterfaces()).flatMap(
    (all) => all?.filter((one) => !one.internal) ?? [],
  )
  for (const { address, family } of others.filter(({ family }) => family === 'IPv4')) {
    expect([family, await answers(`http://${address}:${bucket.port}/`)]).toEqual([family, false])
  }
  expect(await answers(`${bucket.endpoint}/`)).toBe(true)
  await bucket.stop()
})

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}
