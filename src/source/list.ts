import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { parseAddress } from '../address.ts'
import type { S3Config } from '../config.ts'
import { BulkError } from '../errors.ts'
import { publicUrl } from '../job.ts'
import { statusError, unreachable } from './answer.ts'
import { PATIENCE } from './patience.ts'
import { clientFor, refusedAnswer } from './s3.ts'

/** Files of one job, at the most. */
export const FILES_MAX = 1000

/** Keys that are looked at for a pattern, at the most: ten answers of a bucket. */
const KEYS_MAX = 10_000

/** How long a listing may take: who sends a pattern waits for it. */
const LIST_MS = 8000

/** Whether an address stands for many: one of a bucket, with a `*`. */
export function isPattern(url: string): boolean {
  return url.startsWith('s3://') && url.includes('*')
}

type Pattern = { bucket: string; prefix: string; suffix: string }

/**
 * The addresses of the files that a pattern such as `s3://bucket/prefix/*.parquet` stands for, sorted. The `*` is any
 * text without a `/`.
 * @throws BulkError `source_refused` for a pattern of another kind, or one of too many files; `source_empty`,
 * `source_denied`, `source_missing`, `source_unreachable`
 */
export async function listFiles(
  url: string,
  { s3, listMs = LIST_MS }: { s3: S3Config; listMs?: number },
): Promise<string[]> {
  const pattern = parsePattern(url)
  const signal = AbortSignal.timeout(listMs)
  const found: string[] = []
  let seen = 0
  let token: string | undefined
  do {
    const page = await listPage(url, pattern, { s3, token, signal })
    seen += page.seen
    found.push(...page.keys.filter((key) => fits(key, pattern)))
    token = page.next
    if (seen > KEYS_MAX || (seen === KEYS_MAX && token !== undefined))
      throw tooMany(url, `more than ${KEYS_MAX} keys that begin alike`, `at most ${KEYS_MAX}`)
    if (found.length > FILES_MAX) throw tooMany(url, `more than ${FILES_MAX} files`, `at most ${FILES_MAX}`)
  } while (token !== undefined)
  if (found.length === 0)
    throw new BulkError('source_empty', {
      subject: publicUrl(url),
      found: `none that fits among ${seen} keys that begin alike`,
      expected: 'a file at the least',
    })
  return found.toSorted().map((key) => `s3://${pattern.bucket}/${key}`)
}

/** Takes a pattern apart. @throws BulkError `source_refused` */
function parsePattern(url: string): Pattern {
  const address = parseAddress(url)
  if ('found' in address) throw new BulkError('source_refused', { subject: 'url', ...address })
  const key = address.path.slice(1)
  const [prefix = '', suffix = '', ...more] = key.split('*')
  if (more.length || suffix.includes('/')) {
    throw new BulkError('source_refused', {
      subject: 'url',
      found: more.length ? `${more.length + 1} "*"` : 'a "*" before the last "/"',
      expected: 'one "*", behind the last "/", such as s3://bucket/prefix/*.parquet',
    })
  }
  return { bucket: address.host, prefix, suffix }
}

/** A key that ends with "/" is a folder, as consoles make them: no file, and its address would be refused. */
function fits(key: string, { prefix, suffix }: Pattern): boolean {
  return (
    key.startsWith(prefix) &&
    key.endsWith(suffix) &&
    key.length >= prefix.length + suffix.length &&
    !key.endsWith('/') &&
    !key.slice(prefix.length).includes('/')
  )
}

type Page = { keys: string[]; seen: number; next: string | undefined }

/** One answer of the bucket. The delimiter leaves out what lies in deeper folders, however much that is. */
async function listPage(
  url: string,
  { bucket, prefix }: Pattern,
  { s3, token, signal }: { s3: S3Config; token: string | undefined; signal: AbortSignal },
): Promise<Page> {
  const name = publicUrl(url)
  const command = new ListObjectsV2Command({
    Bucket: bucket,
    Prefix: prefix,
    Delimiter: '/',
    ContinuationToken: token,
  })
  try {
    const answer = await clientFor(s3, PATIENCE).send(command, { abortSignal: signal })
    const keys = (answer.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]))
    const seen = keys.length + (answer.CommonPrefixes?.length ?? 0)
    // an answer without any key that promises more would be asked for again without an end
    const next = answer.IsTruncated && seen > 0 ? answer.NextContinuationToken : undefined
    return { keys, seen, next }
  } catch (error) {
    throw listError(error, name)
  }
}

function listError(error: unknown, name: string): unknown {
  if (error instanceof BulkError) return error
  const transport = { name, get: () => Promise.reject(new Error('nothing is fetched here')) }
  try {
    return statusError(transport, refusedAnswer(error, name))
  } catch (other) {
    if (other instanceof BulkError) return other
    const code = other instanceof Error && 'code' in other ? String(other.code) : 'no answer in time'
    return unreachable(transport, code, 'a list of its files')
  }
}

function tooMany(url: string, found: string, expected: string): BulkError {
  return new BulkError('source_refused', {
    subject: publicUrl(url),
    found,
    expected,
    action: 'Send a pattern that fewer fit, in several jobs.',
  })
}
