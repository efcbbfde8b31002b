import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startInProcess, type InProcess } from '../support/in-process.ts'

let service: InProcess

beforeAll(async () => {
  service = await startInProcess({ CHUNK_ROWS: '4096', FIRST_LOAD_ROWS: '0' })
})
afterAll(() => service[Symbol.asyncDispose]())

test.each([
  ['one giant row group', 20_000, 200_000, 4],
  ['many tiny row groups', 20_000, 2048, 5],
  ['row groups of several chunks each', 40_000, 10_240, 4 * 3],
  ['no rows at all', 0, 2048, 1],
])('a file of %s is loaded row by row', async (name, rows, rowGroupRows, chunks) => {
  const table = name.replaceAll(' ', '_')
  const select = `select i as id, md5(i::varchar) as nome, [i, i + 1] as lista from range(${rows}) t(i)`
  const path = await service.write(table, select, rowGroupRows)
  const figura = service.figura(table, { id: 'bigint', nome: 'text', lista: 'bigint[]' })
  expect(await service.load(figura, path)).toMatchObject({
    status: 'completo',
    inserted: rows,
    chunksTotal: chunks,
    putBack: [],
  })
  const [wrong] = await service.sql.unsafe(
    `select count(*)::int from ${table} where nome <> md5(id::text) or lista <> array[id, id + 1]`,
  )
  expect(wrong?.count).toBe(0)
})

test('a refused value is found in whatever row group of the chunk it stands, and counted over all', async () => {
  const nome = `case when i in (2500, 3000, 3999) then 'a' || chr(0) else 'a' end`
  const path = await service.write('recusada', `select i as id, ${nome} as nome from range(4000) t(i)`, 2048)
  const figura = service.figura('recusada', { id: 'bigint', nome: 'text' })
  expect(await service.load(figura, path)).toMatchObject({
    status: 'erro',
    error: { code: 'value_refused', values: [{ column: 'nome', count: 3, first_row: 2501 }] },
  })
})
