import { expect, test } from 'bun:test'
import { makeKey, readKey } from '../src/key.ts'

test('a key is read back as its id and the digest of its secret, and no two are alike', () => {
  const keys = Array.from({ length: 1000 }, makeKey)
  for (const { text, ...digest } of keys) expect(readKey(text)).toEqual(digest)
  expect(new Set(keys.map(({ text }) => text.slice(-43))).size).toBe(1000)
  for (const { text, hash } of keys) expect([text.length, hash.length]).toEqual([65, 32])
})

test('another text is no key', () => {
  const { text } = makeKey()
  for (const other of ['', 'bulk_', text.slice(1), text.slice(0, -1), `${text}A`, ` ${text}`, `${text}\n`])
    expect(readKey(other)).toBeUndefined()
})

test('a secret that differs in any character has another digest', () => {
  const { text, hash } = makeKey()
  for (let at = text.length - 43; at < text.length; at++) {
    const other = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    expect(readKey(other)?.hash.equals(hash)).toBe(false)
  }
})
