import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compare } from '../../scripts/bench/compare.ts'
import { mainData, shapes } from '../../scripts/bench/data.ts'
import { openDuck, rowsOf, writeParquet } from '../../scripts/bench/duck.ts'
import { answersPerSecond, takeAnswer } from '../../scripts/bench/http-load.ts'
import { makeTarget } from '../../scripts/bench/target.ts'
import { watchFolder } from '../../scripts/bench/work-dir.ts'
import { freshDatabase } from '../support/servers.ts'

describe('the parts that measure', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bench-test-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  test('the data are the same for a seed, others for another, and of ascending ids', async () => {
    const duck = await openDuck(dir)
    const digest = async (select: string) =>
      String(
        (await rowsOf(duck, `select md5(string_agg(t::varchar, '' order by id)) as d from (${select}) t`))[0]
          ?.d,
      )
    for (const make of [
      (seed: number) => mainData('main', 500, seed),
      (seed: number) => shapes(2000, seed)[2],
    ]) {
      const [first, again, other] = [make(1)?.select ?? '', make(1)?.select ?? '', make(2)?.select ?? '']
      expect(await digest(first)).toBe(await digest(again))
      expect(await digest(first)).not.toBe(await digest(other))
    }
    const path = join(dir, 'main.parquet')
    await writeParquet(duck, mainData('main', 5000, 1).select, path)
    const ascending = `select count(*) filter (id > before) as n
      from (select id, lag(id) over (order by file_row_number) as before
            from read_parquet('${path}', file_row_number = true))`
    expect((await rowsOf(duck, ascending))[0]?.n).toBe(4999n)
    duck.closeSync()
  })

  test('a value, a row that is missing and one that is too many are found, by id and column', async () => {
    await using database = await freshDatabase()
    const { sql } = database
    const duck = await openDuck(dir)
    const columns = [
      { name: 'id', type: 'bigint', sql: 'i' },
      { name: 'nome', type: 'text', sql: `case when i % 2 = 0 then concat('nome ', i) end` },
      { name: 'uf', type: 'char(4)', sql: `'SP'` },
      { name: 'dados', type: 'jsonb', sql: `{'n': i}`, spelled: `concat('{"n": ', dados.n, '}')` },
    ]
    const list = columns.map((column) => `${column.sql} as ${column.name}`).join(', ')
    const files = join(dir, 'compared.parquet')
    await writeParquet(duck, `select ${list} from range(200000) t(i)`, files)
    await makeTarget(sql, { name: 'compared', title: '', rows: 0, columns, select: '' })
    await sql`
      insert into bench.compared
      select i, case when i % 2 = 0 then concat('nome ', i) end, 'SP', jsonb_build_object('n', i)
      from generate_series(0, 199999) i`
    const difference = () => compare({ sql, duck, table: 'bench.compared', files, columns })
    expect(await difference()).toBeNull()
    await sql`update bench.compared set nome = '' where id = 150001`
    expect(await difference()).toContain('id 150001: nome is "" in the table')
    await sql`update bench.compared set nome = null, dados = '{"n": 7}' where id = 150001`
    expect(await difference()).toContain('id 150001: dados is "{\\"n\\": 7}" in the table')
    await sql`delete from bench.compared where id = 150001`
    expect(await difference()).toContain('id 150001')
    await sql`insert into bench.compared values (150001, null, 'SP', '{"n": 150001}'), (900000, null, null, null)`
    expect(await difference()).toContain('id 900000')
    duck.closeSync()
  })

  test('an answer is taken when all of it has arrived, and what follows it stays', () => {
    const state = { rest: 'HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{' }
    expect(takeAnswer(state)).toBeUndefined()
    state.rest += '}HTTP'
    expect(takeAnswer(state)).toEqual({ status: 202, body: '{}' })
    expect(state.rest).toBe('HTTP')
  })

  test('answers are counted over all connections; another status is an error', async () => {
    let asked = 0
    const server = Bun.serve({ port: 0, fetch: () => new Response(`answer ${++asked}`) })
    const port = server.port ?? 0
    const ask = { port, texts: ['GET / HTTP/1.1\r\nHost: a\r\n\r\n'], connections: 4, ms: 50 }
    expect(await answersPerSecond({ ...ask, status: 200 })).toBeGreaterThan(0)
    expect(asked).toBeGreaterThanOrEqual(4)
    await expect(answersPerSecond({ ...ask, status: 202 })).rejects.toThrow('found status 200, expected 202')
    await server.stop(true)
  })

  test('the most that stood in a folder is seen, though it is gone at the end', async () => {
    const folder = join(dir, 'work')
    mkdirSync(join(folder, 'inner'), { recursive: true })
    const end = watchFolder(folder, () => [])
    writeFileSync(join(folder, 'inner/file'), new Uint8Array(1_000_000).fill(1))
    await Bun.sleep(100)
    rmSync(join(folder, 'inner'), { recursive: true })
    expect(end()).toBeGreaterThanOrEqual(1_000_000)
  })
})
