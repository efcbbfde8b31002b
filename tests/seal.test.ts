import { randomBytes } from 'node:crypto'
import { expect, test } from 'bun:test'
import { readConfig } from '../src/config.ts'
import { sealQueries, unsealUrl } from '../src/seal.ts'

const key = randomBytes(32).toString('hex')
const QUERY = '?X-Amz-Signature=canary&b=%20'

test('a sealed query is opened for its job alone, and by its key alone', () => {
  const sealed = seal(['s3://b/k', `https://h/a${QUERY}`])
  const open = (no: number, url: string) => unsealUrl(url, { no, sealed, job: 'one', key })
  expect(open(0, 's3://b/k')).toBe('s3://b/k')
  expect(open(1, 'https://h/a')).toBe(`https://h/a${QUERY}`)
  const other = randomBytes(32).toString('hex')
  for (const wrong of [
    { job: 'other', key },
    { job: 'one', key: other },
    { job: 'one', key: undefined },
  ])
    expect(() => unsealUrl('https://h/a', { no: 1, sealed, ...wrong })).toThrow('SECRET_KEY')
})

test('what is sealed shows nothing, and is another each time', () => {
  const sealed = seal([`https://h/a${QUERY}`])
  expect(Buffer.from(sealed ?? []).toString('latin1')).not.toMatch(/canary|X-Amz/)
  expect(seal([`https://h/a${QUERY}`])).not.toEqual(sealed)
})

test('a single bit that is changed is found out', () => {
  const sealed = seal([`https://h/a${QUERY}`]) ?? new Uint8Array()
  for (const at of [1, 13, 29, sealed.length - 1]) {
    const changed = Uint8Array.from(sealed)
    changed[at]! ^= 1
    expect(() => unsealUrl('https://h/a', { no: 0, sealed: changed, job: 'one', key })).toThrow('SECRET_KEY')
  }
})

test('addresses without a query need no key', () => {
  expect(sealQueries(['s3://b/k'], { job: 'one', key: undefined })).toBeNull()
  expect(() => sealQueries(['https://h/a?b'], { job: 'one', key: undefined })).toThrow('without a SECRET_KEY')
  // as a job that was accepted before queries were sealed
  expect(unsealUrl('https://h/a?b', { no: 0, sealed: null, job: 'one', key: undefined })).toBe(
    'https://h/a?b',
  )
})

test('the key is 32 bytes in base64 or hexadecimal, and an error shows none of it', () => {
  const read = (SECRET_KEY: string) =>
    readConfig({ DATABASE_URL: 'postgres://u@h/d', NATS_URL: 'nats://h', SECRET_KEY }).secretKey
  expect(read(key)).toBe(key)
  expect(read(Buffer.from(key, 'hex').toString('base64'))).toBe(key)
  expect(read('')).toBeUndefined()
  for (const wrong of [
    'canary',
    randomBytes(31).toString('base64'),
    `canary-canary-canary-canary-canary-canary-`,
  ]) {
    expect(() => read(wrong)).toThrow('SECRET_KEY: found no key')
    expect(() => read(wrong)).not.toThrow(wrong)
  }
})

function seal(urls: string[]): Uint8Array | null {
  return sealQueries(urls, { job: 'one', key })
}
