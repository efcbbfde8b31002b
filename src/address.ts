import ipaddr from 'ipaddr.js'

/**
 * Where a file is, or a prefix of such places: an address taken apart once, alike for checking and for
 * fetching.
 */
export type Address = {
  scheme: 's3' | 'https' | 'http'
  /**
   * `s3://bucket`, or `https://host` with the port when it is not 443: equal before paths are compared at
   * all.
   */
  origin: string
  /** The bucket, or the host without the brackets of IPv6. */
  host: string
  port: number
  /** s3: '/' and the key as it is written. https: the path as WHATWG normalises it. '' when there is none. */
  path: string
  /** '' or '?…': a presigned URL keeps its signature here, so it is a secret. */
  query: string
  /** The host is this machine. */
  loopback: boolean
}

type NoAddress = { found: string; expected: string }

/**
 * Takes an address apart, or says what is wrong with it. Pure: no name is resolved.
 *
 * What could be read in two ways is refused, since the reader that checks and the one that serves may differ:
 * user names, fragments, backslashes, control characters, dot segments (encoded ones too) and, in https,
 * encoded slashes. The key of `s3://bucket/key` is taken literally, as the AWS command line does: `%20` is
 * three characters.
 */
export function parseAddress(text: string): Address | NoAddress {
  if (text.length > ADDRESS_LENGTH_MAX)
    return { found: `${text.length} characters`, expected: `at most ${ADDRESS_LENGTH_MAX}` }
  // oxlint-disable-next-line no-control-regex -- these are the characters that are refused
  if (/[\u0000-\u001f\u007f\\]/.test(text))
    return { found: 'a control character or a backslash', expected: 'neither' }
  if (text.includes('#')) return { found: 'a "#"', expected: 'an address without a fragment' }
  if (hasDotSegment(text)) return { found: 'a "." or ".." in the path', expected: 'a path without them' }
  return text.startsWith('s3://') ? parseS3(text) : parseWeb(text)
}

/**
 * Whether an address lies under a prefix. Paths are compared by whole segments, so that `s3://b/fornecedores`
 * does not admit `s3://b/fornecedores-evil/x`: it admits that very path and what follows it after a '/'.
 */
export function isUnder(prefix: Address, address: Address): boolean {
  if (prefix.origin !== address.origin) return false
  if (prefix.path.endsWith('/')) return address.path.startsWith(prefix.path)
  return address.path === prefix.path || address.path.startsWith(`${prefix.path}/`)
}

/** Stands for every address in a list of registered sources; in development alone, as the configuration sees to. */
export const EVERY_SOURCE = '*'

/**
 * Whether an address, or a prefix of addresses, lies under one of the prefixes that the administrator registered. None
 * are registered unless somebody said so.
 */
export function isRegistered(address: Address, registered: readonly string[]): boolean {
  return registered.some((one) => {
    if (one === EVERY_SOURCE) return true
    const prefix = parseAddress(one)
    return !('found' in prefix) && isUnder(prefix, address)
  })
}

/** Characters. Presigned URLs with a session token have about 2,500 characters; a key has 1,024 bytes at the most. */
export const ADDRESS_LENGTH_MAX = 8192

/** The bucket names of today and of the years before 2018, when capitals and '_' were still allowed. */
const S3 = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{2,62})(\/.*)?$/

function parseS3(text: string): Address | NoAddress {
  if (text.includes('?')) return { found: 'a "?"', expected: 's3://bucket/key, without a query' }
  const match = S3.exec(text)
  const bucket = match?.[1]
  if (!bucket) return { found: shown(text), expected: 's3://bucket/key, the bucket with 3 to 63 characters' }
  const path = match[2] ?? ''
  return { scheme: 's3', origin: `s3://${bucket}`, host: bucket, port: 443, path, query: '', loopback: false }
}

function parseWeb(text: string): Address | NoAddress {
  if (/\s/.test(text)) return { found: 'a space', expected: '%20 in its place' }
  if (!/^https?:\/\/[^/?]/i.test(text) || !URL.canParse(text)) {
    return { found: shown(text), expected: 's3://bucket/key or https://host/path' }
  }
  const url = new URL(text)
  if (url.username || url.password || /^[^/]*\/\/[^/?]*@/.test(text)) {
    return { found: 'a user name or password', expected: 'an address without them' }
  }
  if (/%(2f|5c)/i.test(url.pathname))
    return { found: 'an encoded slash in the path', expected: 'plain slashes' }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const loopback = isLoopback(host)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  if (scheme === 'http' && !loopback) return { found: `http://${url.host}`, expected: `https://${url.host}` }
  if (url.port && !loopback) return { found: `port ${url.port}`, expected: 'port 443' }
  const port = Number(url.port) || (scheme === 'https' ? 443 : 80)
  return { scheme, origin: url.origin, host, port, path: url.pathname, query: url.search, loopback }
}

/**
 * Looks at the path as it was written, and as it is after one, two and three decodings. What follows a ";" in a segment
 * is a parameter to servers of Java: to them "..;x" is "..", while a proxy before them takes it for a name.
 */
function hasDotSegment(text: string): boolean {
  let path = text.replace(/\?.*$/s, '').replace(/^[a-z0-9]+:\/\//i, '')
  for (let level = 0; level <= 3; level++) {
    if (path.split(/[/\\]/).some((segment) => /^\.\.?(;|$)/.test(segment))) return true
    path = path.replace(/%(25|2e|2f|3b|5c)/gi, (code) => decodeURIComponent(code))
  }
  return false
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback'
}

/** What was sent, short enough for a sentence, and without what could be a secret. */
function shown(text: string): string {
  const open = text.replace(/[?].*$/s, '').replace(/[^/]*@/, '')
  return `"${open.length > 80 ? `${open.slice(0, 80)}…` : open}"`
}
