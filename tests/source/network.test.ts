import { describe, expect, test } from 'bun:test'
import { checkedLookup, isAllowed } from '../../src/source/network.ts'
import { thrown } from './file-server.ts'

/**
 * The kinds that proxies against request forgery refuse, after the tests of Stripe's Smokescreen and of
 * OWASP.
 */
const INSIDE = [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.169.254',
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '192.0.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  '2001::1',
  '2001:db8::1',
  'fe80::1',
  'fc00::1',
  'fd00:ec2::254',
  'fec0::1',
  'ff02::1',
  '4000::1',
  '',
  'localhost',
  '1.2.3.4.5',
  '::g',
]

describe('a connection', () => {
  test.each(INSIDE)('may not go to %p', (address) => {
    expect(isAllowed(address, false)).toBeFalse()
  })

  test.each(['8.8.8.8', '52.216.0.1', '::ffff:8.8.8.8', '2606:4700::1111', '2a00:1450:4001::1'])(
    'may go to %p',
    (address) => {
      expect(isAllowed(address, false)).toBeTrue()
    },
  )

  test('of a loopback host may go to loopback addresses, and to no others', () => {
    for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])
      expect(isAllowed(address, true)).toBeTrue()
    for (const address of ['8.8.8.8', '10.0.0.1', '169.254.169.254', '::'])
      expect(isAllowed(address, true)).toBeFalse()
  })
})

describe('the look-up of a name', () => {
  test('gives what the name resolves to, as the caller wants it', async () => {
    expect(await looked('h', false, ['8.8.8.8', '2606:4700::1'])).toEqual(['8.8.8.8', 4])
    expect(await looked('h', false, ['8.8.8.8', '2606:4700::1'], true)).toEqual([
      [
        { address: '8.8.8.8', family: 4 },
        { address: '2606:4700::1', family: 6 },
      ],
      undefined,
    ])
  })

  test('fails when a single one of the addresses is not public', async () => {
    for (const all of [true, false]) {
      expect((await thrown(looked('intern.example', false, ['8.8.8.8', '10.0.0.1'], all))).message).toContain(
        'host intern.example: found the address 10.0.0.1, expected public addresses only',
      )
    }
  })

  test('fails when there is none', async () => {
    expect((await thrown(looked('h', false, []))).message).toContain('found the address no address')
    expect((await thrown(looked('h', false, new Error('ENOTFOUND')))).message).toContain('ENOTFOUND')
  })

  test('of this machine fails, unless the host was admitted as loopback', async () => {
    expect((await thrown(resolved('localhost', false))).message).toContain('expected public addresses only')
    expect(await resolved('localhost', true)).toBeOneOf(['127.0.0.1', '::1'])
  })
})

function looked(host: string, loopback: boolean, found: string[] | Error, all = false): Promise<unknown[]> {
  const lookup = checkedLookup(loopback, (_, __, done) => {
    if (found instanceof Error) done(found, [])
    else
      done(
        null,
        found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  })
  return new Promise((resolve, reject) => {
    lookup(host, { all }, (error, ...result) => (error ? reject(error) : resolve(result)))
  })
}

function resolved(host: string, loopback: boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    checkedLookup(loopback)(host, {}, (error, address) => (error ? reject(error) : resolve(address)))
  })
}
