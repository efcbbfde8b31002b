import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { type InProcess, startInProcess } from '../../support/in-process.ts'
import { duck } from '../../support/parquet.ts'

let service: InProcess
let tables = 0

beforeAll(async () => {
  service = await startInProcess()
})
afterAll(() => service[Symbol.asyncDispose]())

/** Writes a file as the options of DuckDB say. */
async function write(select: string, options: string): Promise<string> {
  const path = join(service.folder, `f${tables}.parquet`)
  const connection = await duck()
  await connection.run(`copy (${select}) to '${path}' (format parquet, ${options})`)
  connection.closeSync()
  return path
}

async function load(path: string, types: Record<string, string>) {
  const name = `p${tables++}`
  const job = await service.load(service.figura(name, types), path)
  const rows = await service.sql.unsafe(`select * from ${name} order by 1`).catch(() => [])
  return { job, rows: rows.map((row): Record<string, unknown> => Object.fromEntries(Object.entries(row))) }
}

describe('parquet of every kind is loaded', () => {
  const select = `select i::bigint as id, 'nome ' || (i % 7) as nome, i / 4 as valor from range(5000) t(i)`
  const types = { id: 'bigint', nome: 'text', valor: 'double precision' }
  const codecs = ['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4', 'lz4_raw', 'brotli']
  test.each(
    codecs.flatMap((codec) => [
      [codec, 'V1'],
      [codec, 'V2'],
    ]),
  )('%s in pages of %s', async (codec, version) => {
    const { job, rows } = await load(
      await write(select, `compression ${codec}, parquet_version ${version}`),
      types,
    )
    expect(job).toMatchObject({ status: 'completo', read: 5000, inserted: 5000 })
    expect(rows[4999]).toEqual({ id: 4999, nome: 'nome 1', valor: 1249.75 })
  })

  test('without rows', async () => {
    const { job } = await load(await write(`select 1::bigint as id limit 0`, 'compression zstd'), {
      id: 'bigint',
    })
    expect(job).toMatchObject({ status: 'completo', read: 0 })
  })

  test('of 10,000 columns, of which two are read', async () => {
    const columns = Array.from({ length: 10_000 }, (_, at) => `${at}::bigint as c${at}`)
    const path = await write(`select ${columns.join(', ')}`, 'compression zstd')
    const { job, rows } = await load(path, { c7: 'bigint', c9999: 'bigint' })
    expect(job).toMatchObject({ status: 'completo', read: 1 })
    expect(rows).toEqual([{ c7: 7, c9999: 9999 }])
  })

  test('with values within values', async () => {
    const nested = `{'a': [1, 2], 'b': map {'k': {'x': null::integer}}}`
    const path = await write(`select 1::bigint as id, ${nested} as n, [['a'], []] as l`, 'compression snappy')
    const { rows } = await load(path, { id: 'bigint', n: 'jsonb', l: 'jsonb' })
    expect(rows).toEqual([{ id: 1, n: { a: [1, 2], b: { k: { x: null } } }, l: [['a'], []] }])
  })

  test('with nulls alone, and with dictionaries of many values', async () => {
    const path = await write(
      `select i::bigint as id, null::varchar as nome, md5(i::varchar) as outro from range(30000) t(i)`,
      'compression zstd, dictionary_size_limit 100000, row_group_size 2048',
    )
    const { job } = await load(path, { id: 'bigint', nome: 'text', outro: 'text' })
    expect(job).toMatchObject({ status: 'completo', read: 30_000, rowGroups: 15 })
  })
})

describe('parquet that cannot be loaded ends its job in erro at the first try', () => {
  test('bytes that are changed anywhere', async () => {
    const path = await write(
      `select i::bigint as id, md5(i::varchar) as nome from range(2000) t(i)`,
      'compression snappy',
    )
    const bytes = await Bun.file(path).bytes()
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
      const changed = bytes.slice()
      for (let no = 0; no < 8 && at + no < changed.length; no++) changed[at + no]! ^= 0x5a
      const name = `mudado${at}`
      const job = await service.load(
        service.figura(name, { id: 'bigint', nome: 'text' }),
        service.put(name, changed),
      )
      // a text that is changed is a text, as long as its bytes are some
      expect(['completo', 'erro']).toContain(job.status)
      expect(job.error?.code).not.toBe('attempts_exhausted')
      expect(job.putBack).toEqual([])
    }
  }, 60_000)

  test('a file that is cut short', async () => {
    const path = await write(`select i::bigint as id from range(2000) t(i)`, 'compression snappy')
    const bytes = await Bun.file(path).bytes()
    for (const length of [4, 11, 12, 100, bytes.length - 1]) {
      const name = `cortado${length}`
      const job = await service.load(
        service.figura(name, { id: 'bigint' }),
        service.put(name, bytes.slice(0, length)),
      )
      expect(job).toMatchObject({ status: 'erro', error: { code: 'file_corrupt' }, putBack: [] })
    }
  })

  test('a file of no columns', async () => {
    // a footer with a root that has no children, no rows and no row groups
    const footer = Buffer.from('15021 91c 4806736368656d6115000016 00190c00'.replaceAll(' ', ''), 'hex')
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footer.length)
    const path = service.put(
      'sem_colunas',
      Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from('PAR1')]),
    )
    const { job } = await load(path, { id: 'bigint' })
    expect(job.status).toBe('erro')
    expect(['file_corrupt', 'schema_differs']).toContain(String(job.error?.code))
    expect(job.putBack).toEqual([])
  })
})
