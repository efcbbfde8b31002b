import { describe, expect, test } from 'bun:test'
import { isUnder, parseAddress } from '../src/address.ts'

describe('an address', () => {
  test('of a bucket keeps its key as it is written', () => {
    const parsed = parseAddress('s3://exportacoes/a b/ção%2F+%.parquet')
    expect(parsed).toMatchObject({ scheme: 's3', origin: 's3://exportacoes', host: 'exportacoes', query: '' })
    expect(parsed).toMatchObject({ path: '/a b/ção%2F+%.parquet', loopback: false })
  })

  test('of the web is normalised as browsers do', () => {
    expect(parseAddress('HTTPS://Arquivos.Exemplo.com.br:443/a//ç.parquet?x=/../y')).toEqual({
      scheme: 'https',
      origin: 'https://arquivos.exemplo.com.br',
      host: 'arquivos.exemplo.com.br',
      port: 443,
      path: '/a//%C3%A7.parquet',
      query: '?x=/../y',
      loopback: false,
    })
  })

  test.each([
    ['http://localhost:9000/a', 'localhost', 9000],
    ['http://127.0.0.1/a', '127.0.0.1', 80],
    ['https://[::1]:8443/a', '::1', 8443],
    ['http://2130706433/a', '127.0.0.1', 80],
    ['http://0x7f.1/a', '127.0.0.1', 80],
    ['http://[::ffff:127.0.0.1]/a', '::ffff:7f00:1', 80],
  ])('%s is of this machine', (text, host, port) => {
    expect(parseAddress(text)).toMatchObject({ loopback: true, host, port })
  })

  test.each([
    ['', /found ""/],
    ['fornecedores.parquet', /s3:\/\/bucket\/key or https:\/\/host\/path/],
    ['file:///etc/passwd', /s3:\/\/bucket\/key or https:\/\/host\/path/],
    ['data:text/plain,x', /s3:\/\/bucket\/key or https:\/\/host\/path/],
    ['https:/host/a', /s3:\/\/bucket\/key or https:\/\/host\/path/],
    ['https:///a', /s3:\/\/bucket\/key or https:\/\/host\/path/],
    [' https://host/a', /found a space/],
    ['https://host/a b', /expected %20/],
    ['https://host/a\nb', /control character/],
    ['https://host\\@evil.com/a', /backslash/],
    ['s3://bucket/a\0', /control character/],
    ['https://host/a#b', /found a "#"/],
    ['s3://bucket/a#b', /found a "#"/],
    ['s3://bucket/a?versionId=1', /found a "\?"/],
    ['https://user@host/a', /found a user name/],
    ['https://user:senha@host/a', /found a user name/],
    ['https://@host/a', /found a user name/],
    ['s3://user:senha@bucket/a', /expected s3:\/\/bucket\/key/],
    ['https://host/a/../b', /found a "." or ".."/],
    ['https://host/a/%2e%2E/b', /found a "." or ".."/],
    ['https://host/a/%252e%252e/b', /found a "." or ".."/],
    ['https://host/a/.%2e%2fb', /found a "." or ".."/],
    ['https://host/a/./b', /found a "." or ".."/],
    ['https://host/a/..;/b', /found a "." or ".."/],
    ['https://host/a/.%2e;x=1/b', /found a "." or ".."/],
    ['https://host/a/..%3b/b', /found a "." or ".."/],
    ['s3://bucket/a/../b', /found a "." or ".."/],
    ['s3://bucket/..', /found a "." or ".."/],
    ['s3://bucket/a/%2e%2e/b', /found a "." or ".."/],
    ['https://host/a%2fb', /found an encoded slash/],
    ['https://host/a%5Cb', /found an encoded slash/],
    ['http://host/a', /expected https:\/\/host/],
    ['https://host:8443/a', /found port 8443, expected port 443/],
    ['s3://b/a', /3 to 63 characters/],
    ['s3:///a', /3 to 63 characters/],
    [`https://host/${'a'.repeat(8200)}`, /found 8213 characters/],
  ])('%j is refused', (text, message) => {
    const parsed = parseAddress(text)
    if (!('found' in parsed)) throw new Error(`${text} was read as ${parsed.origin}${parsed.path}`)
    expect(`found ${parsed.found}, expected ${parsed.expected}`).toMatch(message)
    expect(parsed.found).not.toContain('senha')
  })
})

describe('a prefix admits an address', () => {
  test.each([
    ['s3://bucket/exports/', 's3://bucket/exports/a.parquet', true],
    ['s3://bucket/exports/', 's3://bucket/exports', false],
    ['s3://bucket/exports', 's3://bucket/exports/a.parquet', true],
    ['s3://bucket/exports', 's3://bucket/exports', true],
    ['s3://bucket/exports', 's3://bucket/exports-evil/a.parquet', false],
    ['s3://bucket/exports', 's3://bucket/export', false],
    ['s3://bucket', 's3://bucket/a', true],
    ['s3://bucket/', 's3://bucket/a', true],
    ['s3://bucket', 's3://bucket-evil/a', false],
    ['s3://bucket/a', 'https://bucket/a', false],
    ['https://host.com', 'https://host.com/a?b', true],
    ['https://host.com/x/', 'https://HOST.com:443/x/a', true],
    ['https://host.com/x', 'https://host.com/xy', false],
    ['https://host.com', 'https://host.com.evil.com/', false],
    ['https://localhost:1/', 'https://localhost:2/a', false],
    ['http://localhost:1/', 'https://localhost:1/a', false],
    ['s3://bucket/exports/', 's3://bucket/Exports/a', false],
  ])('%s and %s: %p', (prefix, address, admitted) => {
    const [one, other] = [parseAddress(prefix), parseAddress(address)]
    if ('found' in one || 'found' in other) throw new Error('not an address')
    expect(isUnder(one, other)).toBe(admitted)
  })
})
