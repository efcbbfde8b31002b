import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Duplicates } from '../../src/figura/types.ts'
import { startStaged, stats, VERSIONS, type Staged } from '../support/staged.ts'

describe.each(VERSIONS)('on PostgreSQL %s, keys that stand in a file more than once', (version) => {
  let at: Staged
  beforeAll(async () => {
    at = await startStaged(version)
  })
  afterAll(() => at[Symbol.asyncDispose]())

  const columns = { id: 'char(4)', nome: 'text', versao: 'integer' }
  const figuraOf = (duplicates: Duplicates) =>
    at.figura(columns, { load: { duplicates, ...(duplicates === 'newest' ? { version: 'versao' } : {}) } })
  // 'a' thrice: char(n) compares without the blanks at its end
  const rows = `select id::char(4), nome, versao, place::bigint as _bulk_row from (values
    ('a', 'first', 7, 0), ('b', 'only', 1, 1), ('a  ', 'newest', 9, 2), ('a', 'last', null, 3)
  ) as v(id, nome, versao, place)`
  const refusal = (work: Promise<unknown>) => work.catch((error: unknown) => error)

  test('refuse the file, with how many and where the first ones stand', async () => {
    const figura = figuraOf('refuse')
    expect(await refusal(at.merge(figura, rows))).toMatchObject({
      code: 'key_repeated',
      message: expect.stringContaining('1 key(s) that stand in 3 rows (a in rows 1 and 4)'),
      extra: {
        columns: ['id'],
        count: 1,
        rows: 3,
        examples: [{ key: { id: 'a' }, times: 3, first_row: 1, last_row: 4 }],
      },
    })
    expect(await at.rows(figura)).toHaveLength(0)
  })

  test('are told with their files where there are several', async () => {
    const second = `select id::char(4), _bulk_row from (
      values ('a', 1::bigint), ('a', (2::bigint << 40) + 4)) as v(id, _bulk_row)`
    expect(await refusal(at.merge(figuraOf('refuse'), second))).toMatchObject({
      message: expect.stringContaining('(a in rows 2 and 5 of files[2])'),
      extra: { examples: [{ first_row: 2, first_file: 0, last_row: 5, last_file: 2 }] },
    })
  })

  test('are told without their values where those are sensitive', async () => {
    const figura = at.figura({ id: { of: 'char(4)', sensitive: true }, nome: 'text' })
    const found = await refusal(at.merge(figura, `select id, nome, _bulk_row from (${rows}) r`))
    expect(found).toMatchObject({ extra: { examples: [{ key: { id: '…' } }] } })
    expect(String(found)).not.toContain('(a in')
  })

  test.each([
    ['first', 'first'],
    ['last', 'last'],
    ['newest', 'newest'],
  ] as const)('count once, by the %s of their rows', async (duplicates, nome) => {
    const figura = figuraOf(duplicates)
    const { stats: found } = await at.merge(figura, rows)
    expect(found).toEqual(stats({ read: 4, duplicates: 2, staged: 2, inserted: 2 }))
    expect(await at.rows(figura)).toMatchObject([{ id: 'a   ', nome }, { id: 'b   ' }])
  })

  test('count once by the later row where their versions are equal', async () => {
    const figura = figuraOf('newest')
    await at.merge(figura, `select id, nome, 1 as versao, _bulk_row from (${rows}) r`)
    expect(await at.rows(figura)).toMatchObject([{ nome: 'last' }, {}])
  })

  test('are deleted once in mode delete', async () => {
    const figura = figuraOf('last')
    await at.merge(figura, rows)
    const { stats: found } = await at.merge(figura, `select id, _bulk_row from (${rows}) r`, {
      mode: 'delete',
    })
    expect(found).toEqual(stats({ read: 4, duplicates: 2, staged: 2, deleted: 2 }))
  })

  test('that are null refuse the file with their rows', async () => {
    const nulls = `select case when _bulk_row < 2 then id end as id, nome, _bulk_row from (${rows}) r`
    expect(await refusal(at.merge(figuraOf('last'), nulls))).toMatchObject({
      code: 'key_null',
      extra: { columns: ['id'], count: 2, first_rows: [3, 4] },
    })
  })
})
