import { identityOf } from '../source/identity.ts'
import { isPattern } from '../source/list.ts'
import { invalid } from './invalid.ts'
import { type Submission, URL_EXPECTED } from './schemas.ts'

/** Where the files of a job are: one, or several, or what a pattern stands for. */
export type Addresses = { url: string; urls: string[] | null; pattern: boolean }

/**
 * The addresses of a body that fits its schema.
 * @throws BulkError body_invalid for both or neither of `url` and `urls`, a file that is named twice, and a digest
 * or an ETag beside more than one file
 */
export function addressesOf({ url, urls, sha256, etag }: Submission): Addresses {
  if (url === undefined && urls === undefined)
    throw invalid('body_invalid', [{ field: 'url', found: 'nothing', expected: URL_EXPECTED }])
  if (url !== undefined && urls !== undefined)
    throw invalid('body_invalid', [
      { field: 'urls', found: 'a list beside `url`', expected: 'either `url` or `urls`' },
    ])
  const addresses = urlsOf(url, urls)
  const one = { sha256, etag }
  if (addresses.urls === null && !addresses.pattern) return addresses
  for (const [field, value] of Object.entries(one)) {
    if (value === undefined) continue
    const expected = 'it only with the `url` of one file'
    throw invalid('body_invalid', [{ field, found: 'a value beside several files', expected }])
  }
  return addresses
}

/** The numbers of two addresses of one file, from 1: its rows would come twice, whoever signed the addresses. */
function twice(urls: string[]): [number, number] | undefined {
  const seen = new Map<string, number>()
  for (const [at, url] of urls.entries()) {
    const file = identityOf(url)
    const before = seen.get(file)
    if (before !== undefined) return [before + 1, at + 1]
    seen.set(file, at)
  }
  return undefined
}

function urlsOf(url: string | undefined, urls: string[] = []): Addresses {
  if (url !== undefined) return { url, urls: null, pattern: isPattern(url) }
  const [first = '', ...more] = urls
  if (more.length === 0) return { url: first, urls: null, pattern: isPattern(first) }
  const wrong = (found: string, expected: string) =>
    invalid('body_invalid', [{ field: 'urls', found, expected }])
  const again = twice(urls)
  if (again) throw wrong(`a file that is there twice (addresses ${again.join(' and ')})`, 'each file once')
  if (urls.some(isPattern)) throw wrong('an address with a "*"', 'such an address alone, as `url`')
  return { url: first, urls, pattern: false }
}
