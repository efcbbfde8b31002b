import { describe, expect, test } from 'bun:test'
import { BulkError } from '../../src/errors.ts'
import { checkSource } from '../../src/source/check.ts'

const SOURCES = [
  's3://exportacoes/lojas/',
  'https://arquivos.exemplo.com.br/lojas',
  'http://localhost:9000/lojas/',
]

describe('a figura', () => {
  test.each([
    's3://exportacoes/lojas/2026/a.parquet',
    's3://exportacoes/lojas//a',
    'https://arquivos.exemplo.com.br/lojas/a.parquet?X-Amz-Signature=0',
    'https://ARQUIVOS.exemplo.com.br:443/lojas',
  ])('admits %s', (url) => {
    expect(() => checkSource(url, SOURCES, { allowLoopback: false })).not.toThrow()
  })

  test.each([
    's3://exportacoes/outras/a.parquet',
    's3://exportacoes/lojas-evil/a.parquet',
    's3://exportacoes2/lojas/a.parquet',
    's3://exportacoes/lojas/../outras/a.parquet',
    's3://exportacoes/lojas/',
    's3://exportacoes/lojas/2026/',
    's3://exportacoes',
    'https://arquivos.exemplo.com.br/lojas-evil',
    'https://arquivos.exemplo.com.br.evil.com/lojas/a',
    'https://arquivos.exemplo.com.br@evil.com/lojas/a',
    'https://evil.com/?https://arquivos.exemplo.com.br/lojas/a',
    'https://arquivos.exemplo.com.br:8080/lojas/a',
    'http://arquivos.exemplo.com.br/lojas/a',
    'http://localhost:9000/lojas/a',
    'http://169.254.169.254/latest/meta-data/',
    'file:///lojas/a',
    'lojas/a.parquet',
    '',
  ])('refuses %s', (url) => {
    expect(refusal(url, SOURCES, false).problem()).toMatchObject({ code: 'source_refused', status: 422 })
  })

  test('admits this machine in development, where it is a source', () => {
    expect(() => checkSource('http://localhost:9000/lojas/a', SOURCES, { allowLoopback: true })).not.toThrow()
    expect(() => checkSource('http://localhost:9001/lojas/a', SOURCES, { allowLoopback: true })).toThrow()
    expect(() => checkSource('http://127.0.0.1:9000/lojas/a', SOURCES, { allowLoopback: true })).toThrow()
  })

  test('refuses private addresses even where a source names them', () => {
    for (const host of [
      '10.0.0.1',
      '169.254.169.254',
      '[fd00::1]',
      '[::ffff:10.0.0.1]',
      '0xa000001',
      '[::7f00:1]',
    ]) {
      const error = refusal(`https://${host}/a`, [`https://${host}/`], true)
      expect(error.message).toContain('expected public addresses only')
    }
  })

  test('says which sources it has, and shows nothing that could be a secret', () => {
    const error = refusal('https://host.com/a?X-Amz-Signature=canary', SOURCES, false)
    expect(error.message).toBe(
      'url: found https://host.com/a, expected an address under s3://exportacoes/lojas/ or ' +
        'https://arquivos.exemplo.com.br/lojas or http://localhost:9000/lojas/. ' +
        'Use a source of the figura, or have one added to it.',
    )
    expect(error.problem().sources).toEqual(SOURCES)
    for (const url of [
      'https://me:canary@host.com/',
      'me:canary@x',
      's3://me:canary@b/x',
      'ftp://me:canary@h/?canary',
    ]) {
      expect(JSON.stringify(refusal(url, SOURCES, false).problem())).not.toContain('canary')
    }
  })
})

test('a source that was taken back is refused, though the figura of the job names it', () => {
  const url = 's3://exportacoes/lojas/a.parquet'
  const sources = ['s3://exportacoes/']
  expect(() => checkSource(url, SOURCES, { allowLoopback: false, sources })).not.toThrow()
  for (const others of [[], ['s3://outra/'], ['s3://exportacoes/outras/']])
    expect(() => checkSource(url, SOURCES, { allowLoopback: false, sources: others })).toThrow(
      'under no registered source, expected an address under one of SOURCES',
    )
})

function refusal(url: string, sources: string[], allowLoopback: boolean): BulkError {
  try {
    checkSource(url, sources, { allowLoopback })
  } catch (error) {
    if (error instanceof BulkError) return error
    throw error
  }
  throw new Error(`${url} was admitted`)
}
