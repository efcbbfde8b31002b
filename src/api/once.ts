import type { Once } from '../db/idempotency.ts'
import { BulkError } from '../errors.ts'
import type { Submission } from './schemas.ts'

/** The most characters that a key may have: a UUID has 36, and the name of a file is shorter than 256. */
const KEY_LENGTH_MAX = 255

/**
 * The key of a request; undefined when it has none.
 * @throws BulkError idempotency_key_invalid
 */
export function keyOf(headers: Headers): string | undefined {
  const key = headers.get('idempotency-key')
  if (key === null) return undefined
  if (/^[\x21-\x7e]+$/.test(key) && key.length <= KEY_LENGTH_MAX) return key
  throw new BulkError('idempotency_key_invalid', {
    subject: 'The header Idempotency-Key',
    found: key === '' ? 'nothing' : `${key.length} characters, or others than these`,
    expected: `1 to ${KEY_LENGTH_MAX} letters, digits and signs of ASCII, without a space`,
  })
}

/** A request under its key: its body, and the job that it does again. The order of the fields says nothing. */
export function onceOf(body: Submission & { retry_of?: string }, sent: Omit<Once, 'body'>): Once {
  const fields = Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify(fields)
  return { ...sent, body: new Bun.CryptoHasher('sha256').update(text).digest('hex') }
}

/** @throws BulkError idempotency_key_reused, when the key was sent with another body */
export function requireSame({ key }: Once, { same }: { same: boolean }): void {
  if (same) return
  throw new BulkError('idempotency_key_reused', {
    subject: `The Idempotency-Key ${key}`,
    found: 'another body than it was first sent with',
    expected: 'the same body, or a key of its own for each file',
  })
}
