import { describe, expect, test } from 'bun:test'
import { nativePoolSize, readConfig, workerEnvironment } from '../src/config.ts'
import type { Environment } from '../src/environment.ts'

const LEAST = { DATABASE_URL: 'postgres://u:secret@h:5432/d', NATS_URL: 'nats://h:4222' }
const read = (env: Environment = {}) => readConfig({ ...LEAST, ...env })

describe('the environment', () => {
  test('needs two addresses; all else has a default, and the result is frozen', () => {
    const config = read()
    expect(config).toMatchObject({
      role: 'all',
      port: 3000,
      threads: 2,
      stream: 'BULK',
      auth: 'keys',
      allowLoopback: false,
    })
    expect(Object.isFrozen(config) && Object.isFrozen(config.bounds)).toBe(true)
  })

  test('that is wrong is told all at once, by name, and without a password', () => {
    const wrong = () =>
      readConfig({ DATABASE_URL: 'mysql://u:secret@h/d', PORT: '70000', LEASE_SECONDS: '401', AUTH: 'no' })
    for (const name of ['DATABASE_URL', 'NATS_URL', 'PORT', 'LEASE_SECONDS', 'AUTH'])
      expect(wrong).toThrow(`${name}: found`)
    expect(wrong).not.toThrow('secret')
  })
})

describe('the registered sources', () => {
  test('are none unless somebody says so', () => {
    expect(read().sources).toEqual([])
    const SOURCES = 's3://exportacoes/ https://arquivos.exemplo.com.br/a, s3://balde'
    expect(read({ SOURCES }).sources).toEqual([
      's3://exportacoes/',
      'https://arquivos.exemplo.com.br/a',
      's3://balde',
    ])
  })

  test('are all of them in development alone', () => {
    expect(() => read({ SOURCES: '*' })).toThrow('SOURCES: found a prefix (without ALLOW_LOOPBACK_SOURCES)')
    expect(read({ SOURCES: '*', ALLOW_LOOPBACK_SOURCES: 'true' }).sources).toEqual(['*'])
  })

  test('are addresses without what could be a secret', () => {
    for (const SOURCES of [
      'exportacoes',
      'https://u:p@h/',
      'https://h/?a=canary',
      'ftp://h/',
      's3://b/../c/',
    ]) {
      expect(() => read({ SOURCES })).toThrow('SOURCES: found a prefix')
      expect(() => read({ SOURCES })).not.toThrow('canary')
    }
  })
})

describe('the keys of the bucket', () => {
  const aws = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' }

  test('come from one family: a token of AWS is not sent with the keys of another server', () => {
    expect(read(aws).s3.credentials).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' })
    const both = read({ ...aws, S3_ACCESS_KEY_ID: 'x', S3_SECRET_ACCESS_KEY: 'y' })
    expect(both.s3.credentials).toEqual({ accessKeyId: 'x', secretAccessKey: 'y', sessionToken: undefined })
  })

  test('are both there or neither', () => {
    expect(read().s3.credentials).toBeUndefined()
    expect(() => read({ S3_ACCESS_KEY_ID: 'x' })).toThrow('S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY')
  })
})

test('a worker process gets a native thread pool that is large enough, and keeps a larger one', () => {
  expect(workerEnvironment(2, {}).UV_THREADPOOL_SIZE).toBe('16')
  expect(workerEnvironment(8, { UV_THREADPOOL_SIZE: '4' }).UV_THREADPOOL_SIZE).toBe(String(nativePoolSize(8)))
  expect(workerEnvironment(2, { UV_THREADPOOL_SIZE: '64', A: 'b' })).toEqual({
    UV_THREADPOOL_SIZE: '64',
    A: 'b',
  })
})

test('rows that were left out are kept no longer than their job', () => {
  expect(read().bounds).toMatchObject({
    jobsDays: 90,
    rejectsDays: 30,
    eventsDays: 7,
    idempotencyMs: 86_400_000,
  })
  expect(read({ JOBS_DAYS: '10' }).bounds).toMatchObject({ jobsDays: 10, rejectsDays: 10 })
})
