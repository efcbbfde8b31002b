import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { data_chunk_get_size } from '@duckdb/node-bindings'
import { openDuckdb, type Duckdb } from '../../src/db/duckdb.ts'
import { duck, rowsOf, writeParquet } from '../support/parquet.ts'
import { freshFolder } from '../support/servers.ts'

const folder = freshFolder()
const workDir = join(folder.path, 'work')
const memoryBytes = 256 * 1024 * 1024
let duckdb: Duckdb

beforeAll(async () => {
  mkdirSync(workDir)
  duckdb = await openDuckdb({ workDir, memoryBytes })
})

afterAll(async () => {
  await duckdb.close()
  folder[Symbol.dispose]()
})

async function countRows(sql: string): Promise<number> {
  let rows = 0
  for await (const chunk of duckdb.stream(sql)) rows += data_chunk_get_size(chunk)
  return rows
}

test('a query answers plain objects, in which bigint is a bigint', async () => {
  const rows = await duckdb.query(`select 1::bigint as a, 'x' as b, null as c, [1, 2] as d`)
  expect(rows).toEqual([{ a: 1n, b: 'x', c: null, d: [1, 2] }])
})

describe('a stream', () => {
  test('gives all rows', async () => {
    expect(await countRows('from range(0)')).toBe(0)
    expect(await countRows('from range(100001)')).toBe(100_001)
  })

  test('keeps the order of a file, over its row groups', async () => {
    const path = join(workDir, 'order.parquet')
    await writeParquet(path, 'select i from range(50000) t(i)', { rowGroupRows: 2048 })
    const [row] = await duckdb.query(`select count(*) as unordered from
      (select i, row_number() over () - 1 as place from read_parquet('${path}')) where i <> place`)
    expect(row).toEqual({ unordered: 0n })
  })

  // the bindings answer the same at the end of a result and after a failure: half a file would pass for all
  // of it
  test('that fails after many rows rejects with the error of DuckDB', async () => {
    const sql = `select (case when i = 900000 then 'x' || i else i::varchar end)::bigint as n, [i] as l
      from range(1000000) t(i)`
    await expect(countRows(sql)).rejects.toThrow(
      /^Conversion Error: Could not convert string 'x900000' to INT64/,
    )
    expect(await countRows('from range(5000)')).toBe(5000)
  })

  test('of a wrong statement rejects', async () => {
    await expect(countRows('select nothing')).rejects.toThrow(/^Binder Error/)
    await expect(countRows('selec')).rejects.toThrow(/^Parser Error/)
    expect(await countRows('from range(5000)')).toBe(5000)
  })

  test('may be left early, and DuckDB is free again', async () => {
    for (let i = 0; i < 20; i++) {
      for await (const _ of duckdb.stream('select i, md5(i::varchar) from range(100000000) t(i)')) break
      expect(await duckdb.query('select 1 as one')).toEqual([{ one: 1 }])
    }
  })

  test('that is interrupted rejects, and DuckDB is free again', async () => {
    const counted = countRows('select max(md5(i::varchar)) from range(1000000000) t(i)')
    setTimeout(() => duckdb.interrupt(), 20)
    await expect(counted).rejects.toThrow(/^INTERRUPT Error/)
    expect(await countRows('from range(5000)')).toBe(5000)
  })

  test('is not cut short by a query beside it', async () => {
    let rows = 0
    for await (const chunk of duckdb.stream('from range(1000000)')) {
      if (rows === 0) await expect(duckdb.query('select 1')).rejects.toThrow(/stream of this DuckDB is open/)
      if (rows === 0) await expect(countRows('select 1')).rejects.toThrow(/open already/)
      rows += data_chunk_get_size(chunk)
    }
    expect(rows).toBe(1_000_000)
  })
})

test('an interruption does not reach the next query', async () => {
  duckdb.interrupt()
  expect(await duckdb.query('select 1 as one')).toEqual([{ one: 1 }])
  duckdb.interrupt()
  expect(await countRows('from range(5000)')).toBe(5000)
})

test('it can be closed beside a running query, and beside a stream that nobody reads on', async () => {
  for (const query of [true, false]) {
    const other = await openDuckdb({ workDir, memoryBytes })
    const sql = 'select i, md5(i::varchar) from range(1000000000) t(i)'
    const stream = other.stream(sql)
    const running = query ? other.query(`select max(md5) from (${sql}) t(i, md5)`) : stream.next()
    running.catch(() => {})
    if (!query) await running
    await other.close()
    if (query) await expect(running).rejects.toThrow(/^INTERRUPT Error/)
    else await expect(stream.next()).rejects.toThrow()
  }
})

test('a hole of a sparse file that has been filled since is read anew', async () => {
  const path = join(workDir, 'sparse.parquet')
  await writeParquet(path, 'select i, md5(i::varchar) as m from range(40960) t(i)', { rowGroupRows: 20_480 })
  const whole = readFileSync(path)
  const [second] = await rowsOf(
    await duck(),
    `select min(coalesce(dictionary_page_offset, data_page_offset)) as start,
      max(data_page_offset + total_compressed_size) as "end"
    from parquet_metadata('${path}') where row_group_id = 1`,
  )
  const start = Number(second?.start)
  const end = Number(second?.end)
  writeFileSync(path, whole)
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(end - start), 0, end - start, start)
  const sql = `select count(distinct m) as rows
    from read_parquet('${path}', file_row_number = true) where file_row_number >= 20480`
  await expect(duckdb.query(sql)).rejects.toThrow()
  writeSync(file, whole, start, end - start, start)
  ftruncateSync(file, whole.length)
  closeSync(file)
  expect(await duckdb.query(sql)).toEqual([{ rows: 20_480n }])
})

describe('a file cannot make DuckDB', () => {
  const forbidden: [string, string, RegExp][] = [
    ['read a file elsewhere', `from read_text('/etc/hostname')`, /Permission Error/],
    [
      'read a folder whose name begins alike',
      `from read_text('${workDir}-other/secret')`,
      /Permission Error/,
    ],
    ['climb out of its folder', `from read_text('${workDir}/../secret')`, /Permission Error/],
    ['write a file elsewhere', `copy (select 1) to '${folder.path}/out.csv'`, /Permission Error/],
    ['use the network', `from read_parquet('https://127.0.0.1:1/a.parquet')`, /Error/],
    ['load an extension', `load httpfs`, /Error/],
    ['install an extension', `install httpfs`, /Permission Error|disabled/],
    ['attach a database', `attach '${folder.path}/other.db'`, /Permission Error/],
    ['change a setting', `set threads = 8`, /configuration has been locked/],
  ]
  for (const [what, sql, error] of forbidden) {
    test(what, async () => {
      await expect(duckdb.query(sql)).rejects.toThrow(error)
    })
  }
})

test('more memory than it was given is an error, and not the end', async () => {
  const sql = `select len(list(i)) from range(200000000) t(i)`
  await expect(duckdb.query(sql)).rejects.toThrow(/Out of Memory Error/)
  expect(await duckdb.query('select 1 as one')).toEqual([{ one: 1 }])
})
