import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { dice } from '../../scripts/dice.ts'
import { avroFile, avroRows } from '../support/avro.ts'
import { avroWith, footer, parquetWith, schemaNode, varint } from '../support/hostile.ts'
import { writeParquet } from '../support/parquet.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { until } from '../support/service.ts'

/** More of them are tried by HOSTILE_FILES=1000 HOSTILE_SEED=7 ./scripts/test tests/e2e/hostile.test.ts */
const FILES = Number(process.env.HOSTILE_FILES ?? 150)
const SEED = Number(process.env.HOSTILE_SEED ?? 1)

/** Of the process that looks: 130 MB without a file; the worst of these, an avro schema, made 730 MB of it. */
const PEAK_MB = 1200

let rig: Rig
let web: Awaited<ReturnType<typeof serve>>
let watch: ReturnType<typeof setInterval>
const peaks = new Map<number, number>()

beforeAll(async () => {
  // no worker: what becomes of a file that is accepted is not asked here
  rig = await startRig({ env: { PREFLIGHT_MS: '2000', ROLE: 'api' } })
  web = await serve()
  const columns = 'columns:\n  id: { type: bigint }\n  nome: { type: text }\n'
  writeFileSync(
    join(rig.figuras, 'hostil.yaml'),
    `description: h\ntable: public.hostil\nkey: [id]\n${columns}sources: ['${web.origin}/']\n`,
  )
  await rig.service.said('files are looked at before they are accepted')
  await until('the figura is served', async () =>
    (await rig.service.get('/figuras/hostil')).status === 200 ? true : undefined,
  )
  watch = setInterval(() => {
    for (const pid of lookers()) {
      const now = memoryOf(pid)
      peaks.set(pid, Math.max(peaks.get(pid) ?? 0, now.peak))
      // of no use to the test, but to the machine that it runs on
      if (now.rss > 2000) process.kill(pid, 'SIGKILL')
    }
  }, 50)
})
afterAll(async () => {
  clearInterval(watch)
  await web[Symbol.asyncDispose]()
  await rig[Symbol.asyncDispose]()
})

const deep = (depth: number) =>
  footer({
    nodes: [
      schemaNode('schema', 1),
      ...Array.from({ length: depth }, () => schemaNode('a', 1)),
      schemaNode('x'),
    ],
  })
const nestedAvro = (depth: number) =>
  `{"type":"record","name":"r","fields":[{"name":"a","type":${listsOf(depth)}}]}`
const listsOf = (depth: number) => `${'{"type":"array","items":'.repeat(depth)}"int"${'}'.repeat(depth)}`
const wideAvro = (fields: number) =>
  JSON.stringify({
    type: 'record',
    name: 'r',
    fields: Array.from({ length: fields }, (_, at) => ({ name: `c${at}`, type: 'long' })),
  })
const root = schemaNode('schema', 1)
const CRAFTED: Record<string, () => Buffer> = {
  'a footer of 2 GB': () => parquetWith(Buffer.alloc(100), 2 ** 31),
  'a footer of 4 GB': () => parquetWith(Buffer.alloc(100), 2 ** 32 - 1),
  'a footer of zeros': () => parquetWith(Buffer.alloc(200_000)),
  'a footer of ones': () => parquetWith(Buffer.alloc(200_000, 255)),
  'values within values': () => parquetWith(Buffer.alloc(200_000, 0x19)),
  'a schema of 200,000 bytes': () =>
    parquetWith(Buffer.concat([Buffer.from([0x15, 2, 0x19, 0xf3]), varint(200_000), Buffer.alloc(200_000)])),
  'a schema of 2^31 nodes': () =>
    parquetWith(footer({ nodes: [root, schemaNode('id')], claimed: 2 ** 31 - 1 })),
  'a schema of 10^7 nodes': () =>
    parquetWith(footer({ nodes: [root, schemaNode('id')], claimed: 10_000_000 })),
  '10^7 row groups': () => parquetWith(footer({ nodes: [root, schemaNode('id')], groups: 10_000_000 })),
  '2^31 row groups': () => parquetWith(footer({ nodes: [root, schemaNode('id')], groups: 2 ** 31 - 1 })),
  '2^60 rows': () => parquetWith(footer({ nodes: [root, schemaNode('id')], rows: 2n ** 60n })),
  '2^31 children': () =>
    parquetWith(footer({ nodes: [schemaNode('schema', 2 ** 31 - 1), schemaNode('id')] })),
  'no children': () => parquetWith(footer({ nodes: [schemaNode('schema', 0)] })),
  'no nodes': () => parquetWith(footer({ nodes: [] })),
  '100,000 columns': () =>
    parquetWith(
      footer({
        nodes: [
          schemaNode('schema', 100_000),
          ...Array.from({ length: 100_000 }, (_, at) => schemaNode(`c${at}`)),
        ],
      }),
    ),
  '100 levels': () => parquetWith(deep(100)),
  '10,000 levels': () => parquetWith(deep(10_000)),
  '200,000 levels': () => parquetWith(deep(200_000)),
  'avro of 200 levels': () => avroWith(nestedAvro(200)),
  'avro of 100,000 levels': () => avroWith(nestedAvro(100_000)),
  'avro of 10,000 columns': () => avroWith(wideAvro(10_000)),
  'avro of 200,000 columns': () => avroWith(wideAvro(200_000)),
  'avro with a schema of names': () => avroWith(JSON.stringify(Array.from({ length: 300_000 }, () => 'int'))),
}

test('a file that claims more than it has, or is nested or wide without measure, is answered', async () => {
  for (const [what, make] of Object.entries(CRAFTED)) {
    const { status, body } = await put(make())
    await ready()
    expect([what, status, body.code]).toSatisfy(isVerdict)
  }
}, 60_000)

test('a file whose footer or header is damaged anywhere is answered', async () => {
  const { parquet, avro } = await honest()
  for (let no = 0; no < FILES; no++) {
    const drawn = dice(SEED, no)
    const isAvro = no % 4 === 0
    const bytes = Buffer.from(isAvro ? avro : parquet)
    const from = isAvro ? 4 : bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)
    const to = bytes.length - (isAvro || drawn.chance(0.1) ? 0 : 8)
    for (let change = 0; change <= drawn.below(6); change++)
      bytes[from + drawn.below(to - from)] = drawn.one([0, 255, 127, 128, drawn.below(256)])
    const { status, body } = await put(bytes)
    expect([`number ${no} of seed ${SEED}`, status, body.code]).toSatisfy(isVerdict)
  }
}, 60_000)

test('meanwhile the API stays up, the process that looks stays small, and it looks at the next file', async () => {
  await ready()
  const { parquet } = await honest()
  expect((await put(parquet)).status).toBe(202)
  expect(await put(Buffer.from('id;nome'))).toMatchObject({ status: 422, body: { code: 'schema_differs' } })
  expect((await rig.service.get('/livez')).status).toBe(200)
  const peak = Math.max(...peaks.values())
  console.log(`peak memory of a process that looks: ${peak} MB, of ${lookers().length} processes`)
  expect(peak).toBeLessThan(PEAK_MB)
})

/** Accepted, or refused with a code. */
function isVerdict([, status, code]: unknown[]): boolean {
  return status === 202 || (Number(status) >= 400 && Number(status) < 500 && typeof code === 'string')
}

/** A parquet file and an avro file that fit. */
async function honest(): Promise<{ parquet: Buffer; avro: Buffer }> {
  const path = join(rig.folder, 'honest.parquet')
  const more = `[i] as lista, {a: i, b: 'x'} as par, 1.5::decimal(9,2) as valor, now() as quando`
  await writeParquet(path, `select i as id, 'n' || i as nome, ${more} from range(50) t(i)`)
  const schema = {
    type: 'record',
    name: 'r',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'nome', type: ['null', 'string'] },
      { name: 'lista', type: { type: 'array', items: 'int' } },
    ],
  }
  const avro = avroFile(schema, avroRows(schema, [{ id: 1, nome: { string: 'a' }, lista: [1] }]))
  return { parquet: readFileSync(path), avro }
}

async function put(content: Buffer) {
  return rig.service.put('/hostil/_bulk', { url: web.url(content) })
}

/** The processes that look, of which the last one lives. */
function lookers(): number[] {
  return rig.service.lines
    .filter((line) => line.message === 'files are looked at before they are accepted')
    .map((line) => Number(line.pid))
}

/** Waits for the process to be started again, if it has ended. */
async function ready(): Promise<void> {
  const gone = rig.service.lines.filter((line) =>
    String(line.message).includes('looks at files ended'),
  ).length
  await until('the looker is there', async () => (lookers().length > gone ? true : undefined))
}

function memoryOf(pid: number): { rss: number; peak: number } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) / 1024
    return { rss: of('VmRSS'), peak: Math.round(of('VmHWM')) }
  } catch {
    return { rss: 0, peak: 0 }
  }
}

async function serve() {
  const files: Buffer[] = []
  const server = createServer((request, response) => {
    const content = files[Number(request.url?.slice(1))]
    if (!content) return void response.writeHead(404).end()
    const last = Number(/^bytes=-(\d+)$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const [, a = '', b = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const from = last ? Math.max(0, content.length - last) : Number(a || 0)
    const to = b ? Math.min(content.length, Number(b) + 1) : content.length
    response.writeHead(206, {
      'content-range': `bytes ${from}-${to - 1}/${content.length}`,
      'content-length': to - from,
      etag: '"um"',
    })
    response.end(content.subarray(from, to))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    url: (content: Buffer) => `${origin}/${files.push(content) - 1}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
