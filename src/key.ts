import { createHash, randomBytes } from 'node:crypto'

/**
 * What a caller may do with a figura. submit: send files. read: see its contract, its jobs and what they left out.
 * cancel: stop a job. operate: hold and go on.
 */
export const SCOPES = ['submit', 'read', 'cancel', 'operate'] as const
export type Scope = (typeof SCOPES)[number]

/** What a key may do, by figura; `*` stands for all of them, those that are yet to come too. */
export type Grants = Record<string, Scope[]>

/** A key as it is kept: its secret cannot be had from it. */
export type KeyDigest = { id: string; hash: Buffer }

/** Makes a key of 256 random bits. The text is what the caller sends; it is nowhere to be had again. */
export function makeKey(): KeyDigest & { text: string } {
  const id = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  return { id, hash: digest(secret), text: `bulk_${id}_${secret}` }
}

/** The id of a key and the digest of its secret; undefined for a text that is no key. */
export function readKey(text: string): KeyDigest | undefined {
  const [, id, secret] = KEY.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, hash: digest(secret) }
}

const KEY = /^bulk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
