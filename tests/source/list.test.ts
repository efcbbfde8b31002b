import { beforeAll, describe, expect, test } from 'bun:test'
import { listFiles } from '../../src/source/list.ts'
import { freshBucket, type FreshBucket, servers } from '../support/servers.ts'
import { failure } from './file-server.ts'

const { endpoint, region, ...keys } = servers.s3
const s3 = { endpoint, region, forcePathStyle: true, credentials: { ...keys, sessionToken: undefined } }

let bucket: FreshBucket
beforeAll(async () => {
  bucket = await freshBucket()
  const names = Array.from({ length: 1005 }, (_, at) => `many/${String(at).padStart(4, '0')}.parquet`)
  const some = [
    'some/b.parquet',
    'some/a.parquet',
    'some/a.csv',
    'some/.parquet',
    'some/deep/c.parquet',
    'some/',
  ]
  for (let at = 0; at < names.length; at += 50)
    await Promise.all(names.slice(at, at + 50).map((key) => bucket.put(key, 'x')))
  for (const key of some) await bucket.put(key, 'x')
})

const list = (pattern: string) => listFiles(bucket.url(pattern), { s3 })

describe('a pattern', () => {
  test.each([
    ['some/*.parquet', ['some/.parquet', 'some/a.parquet', 'some/b.parquet']],
    ['some/a*', ['some/a.csv', 'some/a.parquet']],
    ['some/*a.csv', ['some/a.csv']],
    // without the folder itself: the console of AWS makes an empty object for it
    ['some/*', ['some/.parquet', 'some/a.csv', 'some/a.parquet', 'some/b.parquet']],
    ['*', []],
  ])('%s stands for the files of one folder, sorted', async (pattern, expected) => {
    if (expected.length) expect(await list(pattern)).toEqual(expected.map((key) => bucket.url(key)))
    else expect(await failure(list(pattern))).toMatchObject({ code: 'source_empty' })
  })

  test('may stand for many files, over several answers of the bucket, and for no more than can be loaded', async () => {
    expect(await list('many/0*.parquet')).toHaveLength(1000)
    expect(await failure(list('many/*.parquet'))).toMatchObject({ code: 'source_refused' })
  })

  test.each(['some/*/a.parquet', 'some/*a*', '*/a.parquet'])('%s is refused', async (pattern) => {
    expect(await failure(list(pattern))).toMatchObject({ code: 'source_refused' })
  })

  test('of a bucket that is not there, or does not answer, is an error of the source', async () => {
    const missing = listFiles('s3://nao-ha-tal-balde/x/*', { s3 })
    expect(await failure(missing)).toMatchObject({ code: 'source_missing' })
    const nobody = listFiles(bucket.url('some/*'), { s3: { ...s3, endpoint: 'http://127.0.0.1:1' } })
    expect(await failure(nobody)).toMatchObject({ code: 'source_unreachable' })
  })
})
