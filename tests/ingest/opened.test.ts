import { expect, test } from 'bun:test'
import { keepOpened, type Opened } from '../../src/ingest/opened.ts'

test('the files that were asked for last are kept, as many as fit', () => {
  const files = keepOpened(250)
  const [a, b, c] = ['a', 'b', 'c'].map((job) => ({ job, stage: 1, file: 0, etag: '"one"' }))
  files.keep(a!, opened(100))
  files.keep(b!, opened(100))
  expect(files.find(a!)).toBeDefined()
  files.keep(c!, opened(100))
  expect(files.find(b!)).toBeUndefined()
  expect(files.find(a!)).toBeDefined()
  expect(files.find(c!)).toBeDefined()
  files.keep(b!, opened(300))
  expect([a, b, c].map((one) => files.find(one!))).toEqual([undefined, undefined, undefined])
})

test('a file is another one in another job, stage or version, or by another number', () => {
  const files = keepOpened(1000)
  files.keep({ job: 'a', stage: 1, file: 0, etag: '"one"' }, opened(1))
  expect(files.find({ job: 'a', stage: 1, file: 0, etag: '"one"' })).toBeDefined()
  expect(files.find({ job: 'b', stage: 1, file: 0, etag: '"one"' })).toBeUndefined()
  expect(files.find({ job: 'a', stage: 2, file: 0, etag: '"one"' })).toBeUndefined()
  expect(files.find({ job: 'a', stage: 1, file: 0, etag: null })).toBeUndefined()
  expect(files.find({ job: 'a', stage: 1, file: 1, etag: '"one"' })).toBeUndefined()
})

/** A file of which so many bytes are remembered. */
function opened(bytes: number): Opened {
  const tail = new Uint8Array(bytes)
  return {
    source: { name: 'x', bytes, etag: null, tail, tailStart: 0, ranged: true, read: never, stream: never },
    format: 'parquet',
    footer: { start: 0, bytes: new Uint8Array() },
    shape: { columns: [], rowGroups: [], rows: 0 },
    places: { starts: [], ends: [] },
    reading: { columns: [], rules: [], told: [], named: [], texts: [], recorded: [] },
  }
}

function never(): AsyncIterable<Uint8Array> {
  throw new Error('nothing is read')
}
