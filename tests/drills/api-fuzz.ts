import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { SCOPES } from '../../src/key.ts'
import type { Answer } from '../api/api.ts'
import { checkAnswer, type Document, escaped, mustFit } from '../api/contract.ts'
import { freshKey } from '../api/keys.ts'
import { type Rig, startRig } from '../support/rig.ts'
import { clean, type Drill } from './drill.ts'
import { requests, type World } from './requests.ts'
import { exchange, type Received, type Sent } from './wire.ts'

/** Requests that are made at once, and sent by so many connections. */
const BATCH = 500
const AT_ONCE = 8

/** Longer than a look at a file, a PostgreSQL that is busy, and a body that does not come. */
const TIMEOUT_MS = 40_000

/** Requests made from our own documentation, right ones and wrong ones: no fault, no answer that it does not have. */
export const apiFuzz: Drill = {
  name: 'api-fuzz',
  about: 'requests made from the documentation, valid and not: 0 answers of 5xx, each as it is documented',
  runs: { small: 400, full: 20_000 },
  async run({ seed, runs, say }) {
    await using rig = await startRig({
      env: { AUTH: 'keys', PREFLIGHT_MS: '1000', RATE_PER_SECOND: '1000000', RATE_BURST: '1000000' },
    })
    const world = await prepare(rig)
    const document = (await rig.service.get('/docs/json')).body as unknown as Document
    const made = requests(document, world)
    const tally = clean()
    const seen = new Map<number, number>()
    for (let done = 0; done < runs; done += BATCH) {
      const batch = fc.sample(made, { seed: seed + done, numRuns: Math.min(BATCH, runs - done) })
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (let sent = batch.pop(); sent; sent = batch.pop()) {
            const wrong = await tried(rig.service.url, document, sent, seen)
            if (wrong === undefined) continue
            tally.unexpected++
            say(`${shown(sent)}\n    ${wrong}`)
          }
        }),
      )
    }
    const missed = REACHED.filter((status) => !seen.has(status))
    if (runs >= SURE && missed.length > 0) {
      tally.unexpected++
      say(`no answer was ${missed.join(' or ')}: the requests do not reach what they should`)
    }
    return tally
  },
}

/** Answers that so many requests have to come to: a generator of nothing but nonsense would find nothing. */
const REACHED = [200, 202, 400, 401, 403, 404, 405, 409, 413, 422]
const SURE = 2000

/** Figuras, and jobs in every state, each with all that an answer can tell of it. */
async function prepare(rig: Rig): Promise<World> {
  const all = await freshKey(rig.sql, { '*': [...SCOPES] })
  const some = await freshKey(rig.sql, { pedidos: ['read'], itens: ['submit', 'read'] })
  rig.service.headers = all.headers
  const columns = '  id: { type: bigint }\n  uf: { type: char(2), enum: [SP, RJ] }'
  rig.writeFigura(
    'pedidos',
    `${columns}\nrejects: { max_rows: 3 }\nload: { mode: merge, allow: [append, replace] }`,
  )
  rig.writeFigura('itens', columns)
  writeFileSync(join(rig.figuras, 'quebrada.yaml'), 'description: 7\n')
  const select = (bad: string) =>
    `select i as id, case when ${bad} then 'XX' else 'SP' end as uf from range(9) t(i)`
  const good = await rig.putFile('good', select('false'))
  const some3 = await rig.putFile('some', select('i < 3'))
  const bad = await rig.putFile('bad', select('i < 5'))
  const ended = [
    await rig.service.load('pedidos', good.url),
    await rig.service.load('pedidos', some3.url),
    await rig.service.load('pedidos', some3.url, { dry_run: 'impact' }),
    await rig.service.load('pedidos', bad.url),
    await rig.service.load('itens', bad.url),
  ]
  const missing = rig.bucket.url('missing.parquet')
  const pattern = rig.bucket.url('*.parquet')
  const elsewhere = [
    's3://elsewhere/a',
    'http://127.0.0.1/a',
    'https://u:p@example.com/a?b=c',
    'file:///etc/passwd',
  ]
  return {
    figuras: ['pedidos', 'itens', 'quebrada'],
    jobs: ended.map(({ id }) => String(id)),
    addresses: [
      good.url,
      good.url,
      good.url,
      bad.url,
      missing,
      pattern,
      `${good.url}?versionId=1`,
      ...elsewhere,
    ],
    keys: [all.text, some.text, all.text],
  }
}

/** What is wrong with the answer; undefined: nothing. */
async function tried(
  url: string,
  document: Document,
  sent: Sent,
  seen: Map<number, number>,
): Promise<string | undefined> {
  try {
    const received = await exchange(url, sent, TIMEOUT_MS)
    seen.set(received.status, (seen.get(received.status) ?? 0) + 1)
    if (received.status >= 500) throw new Error(`a fault of the service: ${received.status} ${received.text}`)
    check(document, sent, received)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function check(
  document: Document,
  { method, target, body }: Sent,
  { status, headers, text }: Received,
): void {
  const type = headers.get('content-type') ?? ''
  // Bun's own parser of HTTP has refused it, before there was a request
  if (status === 400 && text === '') return
  if (method === 'HEAD' && text !== '') throw new Error('an answer to HEAD has a body')
  const parsed = /[/+]json/.test(type) && text !== '' ? JSON.parse(text) : {}
  checkEither(document, method, target, { status, headers, text, body: parsed })
  if (status === 202 && method === 'PUT') {
    const place = `#/paths/${escaped('/{figura}/_bulk')}/put/requestBody/content/${escaped('application/json')}/schema`
    mustFit(document, place, JSON.parse(Buffer.from(body ?? []).toString()))
  }
}

/**
 * Of a path that a browser would put right ("/./a", "/%2e%2e/a") Bun tells as it would be then, and finds the route of
 * some as they came.
 */
function checkEither(document: Document, method: string, target: string, answer: Answer): void {
  const tidy = new URL(`http://localhost${target}`).pathname
  const raw = target.replace(/\?.*/, '')
  try {
    checkAnswer(document, { method, path: tidy }, answer)
  } catch (error) {
    if (tidy === raw) throw error
    const body = answer.body.instance === tidy ? { ...answer.body, instance: raw } : answer.body
    checkAnswer(document, { method, path: raw }, { ...answer, body })
  }
}

function shown({ method, target, headers, body }: Sent): string {
  const keyless = headers.map(([name, value]) => (name === 'Authorization' ? name : `${name}: ${value}`))
  return `${method} ${target} [${keyless.join(', ')}] ${Buffer.from(body ?? [])
    .toString()
    .slice(0, 300)}`
}
