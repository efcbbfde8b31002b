import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Dice, dice } from '../../scripts/dice.ts'
import { parseAddress } from '../../src/address.ts'
import { webTransport } from '../../src/source/https.ts'
import type { Resolve } from '../../src/source/network.ts'
import { openSource } from '../../src/source/source.ts'
import { type Rig, startRig } from '../support/rig.ts'
import { type Canary, startCanary } from './canary.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'
import { spellings } from './spellings.ts'

/** A service that was told not to fetch from inside is asked to, in every spelling that is known. */
export const ssrf: Drill = {
  name: 'ssrf',
  about:
    'addresses of the inside in many spellings, redirects, names that change: nobody is ever connected to',
  runs: { small: 260, full: 2000 },
  run,
}

async function run({ seed, runs, say, only = '' }: Trial): Promise<Tally> {
  const tally = clean()
  await using canary = await startCanary()
  const count = (what: string) => {
    tally.unexpected++
    say(what)
  }
  const urls = spellings(runs, canary.port, dice(seed, 0))
  const parts = {
    spellings: () => sendAll(urls, canary, count),
    strangers: () => strangers(canary, count),
    redirects: () => redirects(canary, count),
    rebinding: () => rebinding(Math.max(20, runs / 10), { canary, dice: dice(seed, 1) }, count),
  }
  for (const [name, part] of Object.entries(parts)) if (name.includes(only)) await part()
  return tally
}

type Count = (what: string) => void

/** Every spelling is a registered source of a figura, where that can be said, so that what refuses it lies deeper. */
async function sendAll(urls: string[], canary: Canary, count: Count): Promise<void> {
  const sources = [...new Set(urls.flatMap(prefixOf))]
  const env = {
    ALLOW_LOOPBACK_SOURCES: 'false',
    SOURCES: sources.join(' '),
    ATTEMPTS: '1',
    SOURCE_PATIENCE_SECONDS: '0',
    SOURCE_IDLE_SECONDS: '1',
  }
  await using rig = await startRig({ env })
  const figuras = writeFiguras(rig, sources)
  const jobs: { url: string; status: string }[] = []
  for (const url of urls) {
    const before = canary.hits()
    const answer = await rig.service.put(`/${figuraOf(url, figuras)}/_bulk`, { url })
    if (![202, 422].includes(answer.status))
      count(`${JSON.stringify(url)} was answered with ${answer.status}`)
    if (answer.status === 202) jobs.push({ url, status: String(answer.body.status_url) })
    if (canary.hits() > before) count(`${JSON.stringify(url)} reached the canary`)
  }
  const before = canary.hits()
  for (const { url, status } of jobs) {
    const ended = await rig.service.ended(status)
    if (ended.status !== 'erro') count(`${JSON.stringify(url)} ended in ${ended.status}`)
  }
  if (canary.hits() > before) count(`the workers reached the canary ${canary.hits() - before} times`)
}

function prefixOf(url: string): string[] {
  const address = parseAddress(url)
  return 'found' in address ? [] : [`${address.origin}/`]
}

/** A figura has at most 100 sources. */
const FIGURA_SOURCES = 50

function writeFiguras(rig: Rig, sources: string[]): Map<string, string> {
  const figuras = new Map<string, string>()
  for (let at = 0; at < sources.length; at += FIGURA_SOURCES) {
    const name = `alvo_${at}`
    const some = sources.slice(at, at + FIGURA_SOURCES)
    const lines = [
      'description: alvo',
      'table: public.alvo',
      'key: [id]',
      'columns: { id: { type: bigint } }',
    ]
    const text = [...lines, `sources: ${JSON.stringify(some)}`].join('\n')
    writeFileSync(join(rig.figuras, `${name}.yaml`), `${text}\n`)
    for (const one of some) figuras.set(one, name)
  }
  return figuras
}

function figuraOf(url: string, figuras: Map<string, string>): string {
  return figuras.get(prefixOf(url)[0] ?? '') ?? 'alvo_0'
}

/** Addresses that the administrator admits, and the figura does not name. */
async function strangers(canary: Canary, count: Count): Promise<void> {
  await using rig = await startRig({ env: { ATTEMPTS: '1', PREFLIGHT_MS: '2000' } })
  const origin = `http://127.0.0.1:${canary.port}`
  rig.writeFigura('alvo', '  id: { type: bigint }', `${origin}/dele/`)
  const places = [
    '/a',
    '/dele',
    '/deles/a',
    '/DELE/a',
    '/dele/%2e%2e/a',
    '//dele/a',
    '/a?/dele/',
    '/a#/dele/',
  ]
  const others = [
    's3://dele/a',
    `http://localhost:${canary.port}/dele/a`,
    `https://127.0.0.1:${canary.port}/dele/a`,
  ]
  for (const url of [...places.map((place) => origin + place), ...others]) {
    const { status } = await rig.service.put('/alvo/_bulk', { url })
    if (status !== 422) count(`${url}, which the figura does not name, was answered with ${status}`)
    if (canary.hits() > 0) count(`${url}, which the figura does not name, reached the canary`)
  }
}

/** In development, where loopback is allowed: a server that may be asked sends the fetcher on to one that may not. */
async function redirects(canary: Canary, count: Count): Promise<void> {
  const places = [
    `http://127.0.0.1:${canary.port}/a`,
    `//127.0.0.1:${canary.port}/a`,
    `https://localhost:${canary.port}/a`,
    `http://[::1]:${canary.port}/a`,
    'file:///etc/passwd',
    's3://arquivos/a',
    '/outro',
  ]
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const [, status = '302', place = '0'] = url.split('/')
    const location = places[Number(place)] ?? ''
    response.writeHead(Number(status), {
      Location: location,
      Refresh: `0; url=${location}`,
      'Content-Location': location,
    })
    response.end('id\n1\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const s3 = { endpoint: origin, region: 'us-east-1', credentials: undefined, forcePathStyle: true }
  const patience = { connectMs: 1000, idleMs: 1000, leastBytes: 0, retryMs: [] }
  for (const status of [300, 301, 302, 303, 305, 307, 308])
    for (const place of places.keys()) {
      const before = canary.hits()
      const opened = openSource(`${origin}/${status}/${place}`, {
        s3,
        allowLoopback: true,
        tailBytes: 100,
        patience,
      })
      if (
        await opened.then(
          () => true,
          () => false,
        )
      )
        count(`${status} to ${places[place]} was followed`)
      if (canary.hits() > before) count(`${status} to ${places[place]} reached the canary`)
    }
  if (asked.includes('/outro')) count('a redirect within a host was followed')
  server.closeAllConnections()
  server.close()
}

/** A name of this machine that resolves, for us, to public addresses first, and to others when it is asked again. */
async function rebinding(
  tries: number,
  { canary, dice }: { canary: Canary; dice: Dice },
  count: Count,
): Promise<void> {
  const known = [
    '2001:4860:4860::8888',
    '2606:4700:4700::1111',
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
  ]
  const address = {
    scheme: 'https',
    origin: '',
    host: 'localhost',
    path: '/a',
    query: '',
    loopback: false,
  } as const
  const patience = { connectMs: 30, idleMs: 30, leastBytes: 0, retryMs: [] }
  for (let at = 0; at < tries; at++) {
    const resolve: Resolve = (_, __, done) => {
      const found = Array.from({ length: 1 + dice.below(3) }, () => dice.one(known))
      done(
        null,
        found.map((one) => ({ address: one, family: one.includes(':') ? 6 : 4 })),
      )
    }
    const before = canary.hits()
    const transport = webTransport({ ...address, port: canary.port }, { name: 'h', patience, resolve })
    const asked = transport.get({ range: null, ifMatch: null, signal: AbortSignal.timeout(60) })
    if (
      await asked.then(
        () => true,
        () => false,
      )
    )
      count('a name that was rebound was answered')
    if (canary.hits() > before) count('a name that was rebound reached the canary')
  }
}
