import { describe, expect, test } from 'bun:test'
import { identityOf } from '../../src/source/identity.ts'

const SIGNED = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Signature'

const AZURE = 'blob.core.windows.net'

describe('two addresses are of one file', () => {
  test.each([
    ['by signature alone', `https://h.com/a?${SIGNED}=1&x-id=GetObject`, `https://h.com/a?${SIGNED}=2`],
    ['signed and not', `https://h.com/a?${SIGNED}=1`, 'https://h.com/a'],
    [
      'signed in the old way',
      'https://h.com/a?AWSAccessKeyId=a&Expires=1&Signature=b',
      'https://h.com/a?AWSAccessKeyId=a&Expires=2&Signature=c',
    ],
    ['of Google', 'https://h.com/a?X-Goog-Signature=1', 'https://h.com/a?X-Goog-Signature=2'],
    [
      'of Azure',
      `https://c.${AZURE}/a?sv=2024&sr=b&sp=r&se=2026&sig=1`,
      `https://c.${AZURE}/a?sv=2024&sig=2`,
    ],
    ['of one version', `https://h.com/a?versionId=7&${SIGNED}=1`, `https://h.com/a?${SIGNED}=2&versionId=7`],
    [
      'of a bucket of AWS in two ways',
      `https://meu.balde.s3.sa-east-1.amazonaws.com/x/a%20b.parquet?${SIGNED}=1`,
      's3://meu.balde/x/a b.parquet',
    ],
    ['of a bucket before the path', `https://s3.us-east-1.amazonaws.com/balde/a?${SIGNED}=1`, 's3://balde/a'],
    ['of a host in capitals', 'https://H.com/a', 'https://h.com:443/a'],
  ])('%s', (_, one, other) => {
    expect(identityOf(one)).toBe(identityOf(other))
  })
})

describe('two addresses are of two files', () => {
  test.each([
    ['by the path', 's3://balde/a', 's3://balde/b'],
    ['by the bucket', 's3://balde/a', 's3://outro/a'],
    ['by case', 's3://balde/a', 's3://balde/A'],
    ['by a query that chooses the file', 'https://h.com/file?id=1', 'https://h.com/file?id=2'],
    ['by a short one', 'https://h.com/file?sku=1', 'https://h.com/file?sku=2'],
    ['by version', `https://h.com/a?versionId=7&${SIGNED}=1`, `https://h.com/a?versionId=8&${SIGNED}=1`],
  ])('%s', (_, one, other) => {
    expect(identityOf(one)).not.toBe(identityOf(other))
  })
})
