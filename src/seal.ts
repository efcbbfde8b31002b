import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { BulkError } from './errors.ts'
import { publicUrl } from './job.ts'

/** Addresses of a job, in their order, and what of them is a secret. `key`: 32 bytes in hexadecimal. */
type Sealing = { job: string; key: string | undefined }

/** The first byte says how the rest is to be read; then come the nonce and the tag, and what was sealed. */
const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * The queries of the addresses, sealed for that one job: a presigned address is a right to read the file, for whoever
 * has it. Null: there are none.
 * @throws BulkError `source_refused` when there is a query, and no key to seal it with
 */
export function sealQueries(urls: readonly string[], { job, key }: Sealing): Uint8Array | null {
  const queries = urls.map((url) => url.slice(publicUrl(url).length))
  if (queries.every((query) => query === '')) return null
  if (key === undefined) throw noKey()
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'hex'), nonce).setAAD(Buffer.from(job))
  const sealed = Buffer.concat([cipher.update(JSON.stringify(queries), 'utf8'), cipher.final()])
  return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), sealed])
}

/**
 * The whole address of a job's file: what may be shown of it, and its query.
 * @throws BulkError `secret_unreadable` when it was sealed with another key, or for another job
 */
export function unsealUrl(
  url: string,
  { no, sealed, ...sealing }: Sealing & { no: number; sealed: Uint8Array | null },
): string {
  return sealed === null ? url : url + (unseal(sealed, sealing)[no] ?? '')
}

function unseal(sealed: Uint8Array, { job, key }: Sealing): string[] {
  if (key === undefined) throw unreadable('no SECRET_KEY')
  const bytes = Buffer.from(sealed)
  const tagAt = 1 + NONCE_BYTES
  try {
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'hex'), bytes.subarray(1, tagAt))
    decipher.setAAD(Buffer.from(job)).setAuthTag(bytes.subarray(tagAt, tagAt + TAG_BYTES))
    const text = Buffer.concat([decipher.update(bytes.subarray(tagAt + TAG_BYTES)), decipher.final()])
    return JSON.parse(text.toString('utf8')) as string[]
  } catch {
    throw unreadable('one that does not fit the SECRET_KEY of this node')
  }
}

function noKey(): BulkError {
  return new BulkError('source_refused', {
    subject: 'url',
    found: 'a query, and a service without a SECRET_KEY to keep it with',
    expected: 'an address without a query',
    action: 'Send such an address, or have the administrator set SECRET_KEY.',
  })
}

function unreadable(found: string): BulkError {
  return new BulkError('secret_unreadable', {
    subject: 'The query of the address',
    found,
    expected: 'one that the SECRET_KEY of this node opens',
  })
}
