import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { avroFile, avroRows } from '../support/avro.ts'
import { startRig, type Rig } from '../support/rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig({ env: { WORKER_THREADS: '1' } })
})
afterAll(() => rig[Symbol.asyncDispose]())

/** Of a worker that loads texts of 1 MB, whatever is done with them; 1,500 of them at once were 1.5 GB and more. */
const PEAK_MB = 900

/** What a worker has left from the loads before counts too. */
const KEYS_PEAK_MB = 2200

const HUGE = `select i as id, repeat('x', 1000000) as nome from range(1500) t(i)`

describe('texts of 1 MB are loaded in little memory', () => {
  test('of parquet, where all of them break a rule and are kept', async () => {
    const name = figura(`  nome: { type: text, pattern: '^y' }`, 'rejects: { max_rows: 10000 }\n')
    const { url } = await rig.putFile(name, HUGE)
    const { job, peakMb } = await peakOf(() => rig.service.load(name, url))
    expect(job).toMatchObject({ status: 'completo', stats: { read: 1500, rejected: 1500 } })
    const { body } = await rig.service.get(`/${name}/_bulk/${job.id}/rejects?limit=1`)
    expect(body).toMatchObject({ rejects: [{ row: 1, column: 'nome', rule: 'pattern', record: null }] })
    expect(peakMb).toBeLessThan(PEAK_MB)
  }, 120_000)

  test('of parquet, where each is worked out by an expression', async () => {
    const name = figura(`  nome: { type: text, expr: 'left(upper(nome), 5)', check: "nome <> 'y'" }`)
    const { url } = await rig.putFile(name, HUGE)
    const { job, peakMb } = await peakOf(() => rig.service.load(name, url))
    expect(job).toMatchObject({ status: 'completo', stats: { read: 1500, inserted: 1500 } })
    expect(peakMb).toBeLessThan(PEAK_MB)
  }, 120_000)

  test.each(['ndjson', 'avro'])(
    'of %s',
    async (format) => {
      const name = figura(`  nome: { type: text, check: "nome <> 'y'" }`)
      const rows = Array.from({ length: 100 }, (_, id) => ({ id, nome: `${id}`.padEnd(1_000_000, 'é') }))
      const schema = {
        type: 'record',
        name: 'r',
        fields: [
          { name: 'id', type: 'long' },
          { name: 'nome', type: 'string' },
        ],
      }
      const content =
        format === 'avro'
          ? avroFile(schema, avroRows(schema, rows, 50), { codec: 'deflate' })
          : gzipSync(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      await rig.bucket.put(`${name}.${format}`, content)
      const { job, peakMb } = await peakOf(() => rig.service.load(name, rig.bucket.url(`${name}.${format}`)))
      expect(job).toMatchObject({ status: 'completo', stats: { read: 100, inserted: 100 } })
      expect(peakMb).toBeLessThan(PEAK_MB)
    },
    120_000,
  )
})

describe('keys of large texts are compared in little memory', () => {
  test('where each is another', async () => {
    const name = figura(`  k: { type: text, expr: 'upper(nome) || id' }`, '', 'k')
    const { url } = await rig.putFile(name, HUGE)
    const { job, peakMb } = await peakOf(() => rig.service.load(name, url))
    // an entry of an index has room for 2,704 bytes
    expect(job).toMatchObject({ status: 'erro', error: { code: 'table_refused' }, stats: { read: 1500 } })
    // 5.8 GB with all of them at once
    expect(peakMb).toBeLessThan(KEYS_PEAK_MB)
  }, 120_000)

  test('where many stand in several rows, and are alike at their beginning', async () => {
    const name = figura(`  k: { type: text, expr: 'lower(nome) || (id // 2)' }`, '', 'k')
    const select = `select i as id, repeat('x', 20000) as nome from range(40001) t(i)`
    const { url } = await rig.putFile(name, select)
    const { job, peakMb } = await peakOf(() => rig.service.load(name, url))
    expect(job).toMatchObject({
      status: 'erro',
      error: {
        code: 'key_repeated',
        count: 20_000,
        rows: 40_000,
        examples: [{ first_row: 1, last_row: 2 }, {}, {}, {}, {}],
      },
    })
    expect(peakMb).toBeLessThan(KEYS_PEAK_MB)
  }, 120_000)
})

// a list is copied out of its page for 2,048 rows at a time, whatever rows are asked for
test('more of them within lists than fit into memory end the job in words, and the worker goes on', async () => {
  const [name, after] = [figura(`  nome: { type: jsonb }`), figura(`  nome: { type: text }`)]
  const { url } = await rig.putFile(name, `select id, [nome] as nome from (${HUGE}) t(id, nome)`)
  expect(await rig.service.load(name, url)).toMatchObject({
    status: 'erro',
    error: { code: 'file_too_large', detail: expect.stringContaining('smaller row groups') },
  })
  const next = await rig.putFile(after, HUGE)
  expect(await rig.service.load(after, next.url)).toMatchObject({ status: 'completo' })
  const workers = rig.service.lines.filter((line) => line.message === 'worker threads are ready')
  expect(workers).toHaveLength(1)
}, 120_000)

/** A figura of its own; gives its name. */
function figura(column: string, more = '', key = 'id'): string {
  const name = `grande_${crypto.randomUUID().slice(0, 8)}`
  const head = `description: ${name}\ntable: public.${name}\nkey: [${key}]\n`
  const columns = `columns:\n  id: { type: bigint }\n${column}\n`
  writeFileSync(
    join(rig.figuras, `${name}.yaml`),
    `${head}${columns}${more}sources: ['${rig.bucket.url('')}']\n`,
  )
  return name
}

/** The most memory that the worker has while something is loaded. */
async function peakOf(load: () => Promise<Record<string, unknown>>) {
  const worker = rig.service.lines.find((line) => line.message === 'worker threads are ready')
  writeFileSync(`/proc/${worker?.pid}/clear_refs`, '5')
  const job = await load()
  const peak = /VmHWM:\s+(\d+) kB/.exec(await Bun.file(`/proc/${worker?.pid}/status`).text())
  const peakMb = Math.round(Number(peak?.[1]) / 1024)
  console.log(`peak memory of the worker: ${peakMb} MB`)
  return { job, peakMb }
}
