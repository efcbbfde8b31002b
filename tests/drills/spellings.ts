import { hostname } from 'node:os'
import type { Dice } from '../../scripts/dice.ts'

type Quad = [number, number, number, number]

/** Hosts that no fetch may reach: this machine, metadata services, private networks. */
const INSIDE: Quad[] = [
  [127, 0, 0, 1],
  [169, 254, 169, 254],
  [10, 0, 0, 1],
  [192, 168, 1, 1],
  [172, 16, 0, 1],
  [100, 100, 100, 200],
  [0, 0, 0, 0],
]

const NAMES = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost.localdomain',
  'ip6-localhost',
  'a.localhost',
  hostname(),
  'metadata.google.internal',
  'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ',
  'local\u00adhost',
  'loc%61lhost',
]

/** Ways to write an IPv4 address, among them those that only some parsers know. */
const QUADS: ((quad: Quad) => string)[] = [
  (quad) => quad.join('.'),
  (quad) => `${quad.join('.')}.`,
  (quad) => String(numberOf(quad)),
  (quad) => `0x${numberOf(quad).toString(16)}`,
  (quad) => `0${numberOf(quad).toString(8)}`,
  (quad) => quad.map((part) => `0${part.toString(8)}`).join('.'),
  (quad) => quad.map((part) => `0x${part.toString(16)}`).join('.'),
  (quad) => quad.map((part) => String(part).padStart(3, '0')).join('.'),
  ([a, b, c, d]) => `${a}.${(b << 16) + (c << 8) + d}`,
  ([a, b, c, d]) => `${a}.${b}.${(c << 8) + d}`,
  ([a, b, c, d]) => `0x${a.toString(16)}.0${b.toString(8)}.${(c << 8) + d}`,
  (quad) => quad.join('。'),
  (quad) => quad.join('｡'),
  (quad) => quad.join('.').replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  (quad) =>
    quad
      .join('.')
      .replace(/\d/g, (digit) => (digit === '0' ? '⓪' : String.fromCodePoint(0x245f + Number(digit)))),
  (quad) => quad.join('.').replace(/\d/g, (digit) => `%3${digit}`),
  (quad) => quad.join('%2e'),
  (quad) => `[::ffff:${quad.join('.')}]`,
  (quad) => `[::ffff:${words(quad)}]`,
  (quad) => `[0:0:0:0:0:ffff:${words(quad)}]`,
  (quad) => `[::${quad.join('.')}]`,
  (quad) => `[::${words(quad)}]`,
  (quad) => `[::ffff:0:${quad.join('.')}]`,
  (quad) => `[64:ff9b::${quad.join('.')}]`,
  (quad) => `[64:ff9b:1::${words(quad)}]`,
  (quad) => `[2002:${words(quad)}::]`,
  (quad) => `[2001:0:${words(quad)}::]`,
  (quad) => `[fe80::5efe:${quad.join('.')}]`,
]

const SIXES = [
  '[::1]',
  '[::]',
  '[0::1]',
  '[0000::0001]',
  '[::1%25lo]',
  '[fe80::1%25lo]',
  '[fe80::1]',
  '[fd00:ec2::254]',
]

/** Addresses that one reader takes for the first host, and another for the second. */
const TWO_HOSTS: ((port: number) => string)[] = [
  (port) => `https://arquivos.exemplo.com.br@127.0.0.1:${port}/a`,
  (port) => `https://u:p@127.0.0.1:${port}/a`,
  (port) => `https://127.0.0.1:${port}@arquivos.exemplo.com.br/a`,
  (port) => `https://arquivos.exemplo.com.br%40127.0.0.1:${port}/a`,
  (port) => `https://arquivos.exemplo.com.br\\@127.0.0.1:${port}/a`,
  (port) => `https://arquivos.exemplo.com.br#@127.0.0.1:${port}/a`,
  (port) => `https://127.0.0.1:${port}#.arquivos.exemplo.com.br/a`,
  (port) => `https://127.0.0.1:${port}?.arquivos.exemplo.com.br/a`,
  (port) => `https://127.0.0.1:${port}\\.arquivos.exemplo.com.br/a`,
  (port) => `https://arquivos.exemplo.com.br:443:${port}/a`,
  (port) => `https://arquivos.exemplo.com.br:${port}/a`,
  (port) => `https://127.0.0.1:${port}\t/a`,
  (port) => `https://127.0.0.1:${port}\r\nHost: arquivos.exemplo.com.br/a`,
  (port) => `https://arquivos.exemplo.com.br/../../127.0.0.1:${port}/a`,
  (port) => `https://arquivos.exemplo.com.br//127.0.0.1:${port}/a`,
  (port) => `https:127.0.0.1:${port}/a`,
  (port) => `https:/127.0.0.1:${port}/a`,
  (port) => `https:///127.0.0.1:${port}/a`,
  (port) => `https:\\\\127.0.0.1:${port}\\a`,
  (port) => `//127.0.0.1:${port}/a`,
  (port) => `127.0.0.1:${port}/a`,
  (port) => ` https://127.0.0.1:${port}/a`,
]

const SCHEMES: ((port: number) => string)[] = [
  () => 'file:///etc/passwd',
  () => 'file://localhost/etc/passwd',
  () => 'FILE:/etc/passwd',
  () => '/etc/passwd',
  () => '../../etc/passwd',
  () => 'data:text/csv,id%0A1',
  () => 'blob:https://arquivos.exemplo.com.br/1',
  () => 'javascript:1',
  (port) => `ftp://127.0.0.1:${port}/a`,
  (port) => `gopher://127.0.0.1:${port}/_GET%20/`,
  (port) => `dict://127.0.0.1:${port}/stat`,
  (port) => `ldap://127.0.0.1:${port}/a`,
  (port) => `ws://127.0.0.1:${port}/a`,
  (port) => `jar:https://127.0.0.1:${port}/a!/b`,
  (port) => `view-source:https://127.0.0.1:${port}/a`,
  (port) => `hTTp://127.0.0.1:${port}/a`,
  (port) => `http+unix://127.0.0.1:${port}/a`,
  (port) => `s3://127.0.0.1:${port}/a`,
  (port) => `s3://u@127.0.0.1:${port}/a`,
  (port) => `S3://127.0.0.1:${port}/a`,
  (port) => `s3a://127.0.0.1:${port}/a`,
  () => 's3://127.0.0.1/a',
  () => 's3://../a',
  () => 's3://arquivos/../../outros/a',
  () => 's3://arquivos/%2e%2e/outros/a',
  (port) => `s3://arquivos@127.0.0.1:${port}/a`,
  () => 's3://arquivos.s3.amazonaws.com@127.0.0.1/a',
  () => 's3://arn:aws:s3:us-east-1:1:accesspoint/a',
]

/**
 * Addresses of the inside in so many spellings: first one of each kind, then what the dice say. `port`: where a
 * listener counts who comes.
 */
export function spellings(count: number, port: number, dice: Dice): string[] {
  const hosts = [
    ...QUADS.map((write) => write(INSIDE[0]!)),
    ...NAMES,
    ...SIXES,
    ...INSIDE.slice(1).flatMap((quad) => [0, 2, 3, 17, 18, 23, 25].map((at) => QUADS[at]!(quad))),
  ]
  const addresses = hosts.flatMap((host) => [
    `https://${host}/a`,
    `http://${host}:${port}/a`,
    `https://${host}:${port}/a`,
  ])
  const all = [...addresses, ...TWO_HOSTS.map((write) => write(port)), ...SCHEMES.map((write) => write(port))]
  while (all.length < count) all.push(rolled(port, dice))
  return all.slice(0, count)
}

function rolled(port: number, dice: Dice): string {
  const [a, b] = dice.one(INSIDE)
  const quad: Quad = [a, b, dice.below(256), dice.below(256)]
  const host = dice.one(QUADS)(quad)
  const mixed = dice.chance(0.3)
    ? host.replace(/[a-zⓐ-ⓩ]/gu, (one) => (dice.chance(0.5) ? one.toUpperCase() : one))
    : host
  const at = dice.one(['', ':443', `:${port}`, ':80', ':0', `:0${port}`])
  return `${dice.one(['https', 'http', 'HTTPS'])}://${mixed}${at}/${dice.one(['a', '', '?a=b', 'a.parquet'])}`
}

function numberOf([a, b, c, d]: Quad): number {
  return a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d
}

function words([a, b, c, d]: Quad): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}
