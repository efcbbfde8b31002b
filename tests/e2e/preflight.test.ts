import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startRig, type Rig } from '../support/rig.ts'

const PREFLIGHT_MS = 1500

let rig: Rig
beforeAll(async () => {
  rig = await startRig({ env: { PREFLIGHT_MS: String(PREFLIGHT_MS) } })
  await rig.service.said('files are looked at before they are accepted')
})
afterAll(() => rig[Symbol.asyncDispose]())

const COLUMNS = `  id: { type: bigint }
  nome: { type: varchar(5), required: true }
  preco: { type: 'numeric(10,2)' }`
const GOOD = `select i as id, 'n' as nome from range(10) t(i)`

describe('a file is refused at once, and no job made', () => {
  test.each([
    [
      'columns that differ',
      'schema_differs',
      `select i::varchar as id, 'n' as nome, 1.5::double as preco from range(9) t(i)`,
    ],
    [
      'a null key that the footer proves',
      'key_null',
      `select case when i <> 3 then i end as id, 'n' as nome from range(9) t(i)`,
    ],
    [
      'a required null that the footer proves',
      'required_null',
      `select i as id, case when i <> 3 then 'n' end as nome from range(9) t(i)`,
    ],
    ['too many rows', 'file_too_large', `select i as id, 'n' as nome from range(5000) t(i)`],
    ['too many bytes', 'file_too_large', `select i as id, md5(i::text) as nome from range(3000) t(i)`],
  ])('for %s', async (_what, code, select) => {
    const name = figura('limits: { max_rows: 4000, max_bytes: 50000 }\n')
    const { url } = await rig.putFile(name, select)
    const { status, body } = await rig.service.put(`/${name}/_bulk`, { url })
    expect([status, body.code]).toEqual([422, code])
    expect(body).toMatchObject({
      detail: expect.stringMatching(/: found .+, expected .+/),
      instance: `/${name}/_bulk`,
    })
    if (code === 'schema_differs') {
      expect(body.differences).toEqual([
        expect.objectContaining({ column: 'id', expected: 'bigint' }),
        expect.objectContaining({ column: 'preco', expected: 'numeric(10,2)' }),
      ])
    }
    expect(await jobs(name)).toBe(0)
  })

  test('that is not there, not parquet, or broken off', async () => {
    const name = figura()
    await rig.bucket.put('page.parquet', '<!doctype html><html></html>')
    await rig.bucket.put('empty.parquet', '')
    await rig.bucket.put('half.parquet', 'PAR1 and no more of it')
    await rig.bucket.put('odd.parquet', new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))
    const seen: unknown[] = []
    for (const key of ['none', 'page', 'empty', 'half', 'odd']) {
      const { status, body } = await rig.service.put(`/${name}/_bulk`, {
        url: rig.bucket.url(`${key}.parquet`),
      })
      seen.push([key, status, body.code])
    }
    expect(seen).toEqual([
      ['none', 404, 'source_missing'],
      ['page', 422, 'file_not_known'],
      ['empty', 422, 'file_not_known'],
      ['half', 422, 'file_corrupt'],
      ['odd', 422, 'file_not_known'],
    ])
    expect(await jobs(name)).toBe(0)
  })

  test('that is another than was announced, by its digest or its ETag', async () => {
    const name = figura()
    const { url, path } = await rig.putFile(name, GOOD)
    const put = async (more: object) => {
      const { status, body } = await rig.service.put(`/${name}/_bulk`, { url, ...more })
      return [status, body.code]
    }
    expect(await put({ sha256: '0'.repeat(64) })).toEqual([422, 'sha256_differs'])
    expect(await put({ etag: 'other' })).toEqual([409, 'source_changed'])
    expect(await jobs(name)).toBe(0)
    const sha256 = new Bun.CryptoHasher('sha256').update(await Bun.file(path).bytes()).digest('hex')
    const job = await rig.service.load(name, url, { sha256 })
    expect(job).toMatchObject({ status: 'completo' })
    const { etag } = Object(job.source)
    expect(await put({ etag })).toEqual([202, undefined])
  })

  test('one of several', async () => {
    const name = figura()
    const good = await rig.putFile(`${name}-a`, GOOD)
    const bad = await rig.putFile(`${name}-b`, `select 'x' as id, 'n' as nome`)
    const { status, body } = await rig.service.put(`/${name}/_bulk`, { urls: [good.url, bad.url] })
    expect([status, body.code]).toEqual([422, 'schema_differs'])
  })
})

describe('a file is accepted', () => {
  test('when nothing is against it, and then it is loaded', async () => {
    const name = figura()
    const { url } = await rig.putFile(name, GOOD)
    expect(await rig.service.load(name, url)).toMatchObject({
      status: 'completo',
      stats: { read: 10, inserted: 10 },
    })
  })

  test('when it is a text that has the columns; one that lacks some, or a broken Avro file, is refused', async () => {
    const name = figura()
    await rig.bucket.put('a.csv', 'id,nome\n1,n\n')
    await rig.bucket.put('b.csv', 'codigo,nome\n1,n\n')
    await rig.bucket.put('a.avro', 'Obj\x01 and more')
    const put = (key: string) => rig.service.put(`/${name}/_bulk`, { url: rig.bucket.url(key) })
    expect((await put('a.csv')).status).toBe(202)
    expect(await put('b.csv')).toMatchObject({ status: 422, body: { code: 'schema_differs' } })
    expect(await put('a.avro')).toMatchObject({ status: 422, body: { code: 'file_corrupt' } })
  })

  test('though its nulls are proven, where rows may be left out', async () => {
    const name = figura('rejects: { max_rows: 5 }\n')
    const { url } = await rig.putFile(name, `select null::bigint as id, 'n' as nome`)
    expect((await rig.service.put(`/${name}/_bulk`, { url })).status).toBe(202)
  })

  test('though its nulls are proven, where nothing but keys is read', async () => {
    const name = figura('load: { mode: merge, allow: [delete] }\n')
    const { url } = await rig.putFile(name, `select i as id, null::varchar as nome from range(3) t(i)`)
    const put = (more: object) => rig.service.put(`/${name}/_bulk`, { url, ...more })
    expect(await put({})).toMatchObject({ status: 422, body: { code: 'required_null' } })
    expect(await put({ mode: 'delete' })).toMatchObject({ status: 202 })
  })

  test('when the source does not answer in time, or not at all; those beside it do not wait', async () => {
    await using silent = silentServer()
    const name = figura('', silent.url)
    const started = performance.now()
    const slow = rig.service.put(`/${name}/_bulk`, { url: `${silent.url}a.parquet` })
    await Bun.sleep(50)
    const other = figura()
    const { url } = await rig.putFile(other, GOOD)
    expect((await rig.service.put(`/${other}/_bulk`, { url })).status).toBe(202)
    expect(performance.now() - started).toBeLessThan(PREFLIGHT_MS)
    expect((await slow).status).toBe(202)
    expect(performance.now() - started).toBeLessThan(PREFLIGHT_MS + 1000)
  })
})

/** A figura of its own; gives its name. */
function figura(more = '', source = rig.bucket.url('')): string {
  const name = `olhada_${crypto.randomUUID().slice(0, 8)}`
  const head = `description: ${name}\ntable: public.${name}\nkey: [id]\ncolumns:\n${COLUMNS}\n${more}`
  writeFileSync(join(rig.figuras, `${name}.yaml`), `${head}sources: ['${source}']\n`)
  return name
}

async function jobs(name: string): Promise<number> {
  const [row] = await rig.sql<{ jobs: number }[]>`
    select count(*)::int as jobs from bulk.job where figura = ${name}
  `
  return row?.jobs ?? -1
}

/** A web server that takes requests and never answers. */
function silentServer() {
  const server = createServer(() => {})
  server.listen(0, '127.0.0.1')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
