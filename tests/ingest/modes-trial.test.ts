import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Load } from '../../src/figura/types.ts'
import { startStaged, VERSIONS, type Staged } from '../support/staged.ts'

describe.each(VERSIONS)('on PostgreSQL %s, a trial', (version) => {
  let at: Staged
  beforeAll(async () => {
    at = await startStaged(version)
  })
  afterAll(() => at[Symbol.asyncDispose]())

  const everything: Partial<Load> = {
    mode: 'replace',
    maxDeletePercent: 100,
    version: 'versao',
    duplicates: 'last',
    deleteMarker: { from: 'fora', how: 'soft', at: 'excluido_em' },
    history: true,
    audit: { loadedAt: 'carregado_em' },
  }
  const figuraOf = () =>
    at.figura(
      {
        id: 'bigint',
        nome: 'text',
        limite: 'numeric(20,2)',
        cpf: { of: 'text', sensitive: true },
        versao: 'integer',
      },
      { load: everything },
    )
  const rowsOf = (values: string) =>
    `select id::bigint, nome, limite::numeric(20,2), cpf, versao, fora as _bulk_gone,
      row_number() over () - 1 as _bulk_row from (${values}) as v(id, nome, limite, cpf, versao, fora)`
  const before =
    rowsOf(`values (1, 'a', 1.50, '1', 1, false), (2, 'a', 1, '2', 5, false), (3, 'a', 1, '3', 1, false),
    (4, 'a', 1, '4', 1, false), (5, 'a', 1, '5', 1, false)`)
  const after = rowsOf(`values (1, 'x', 1, '1', 1, false), (1, 'b', 123456789012345678.90, '9', 2, false),
    (2, 'b', 1, '2', 4, false), (3, 'a', 1, '3', 1, false), (4, 'a', 1, '4', 1, true), (6, 'n', 1, '6', 1, false)`)

  test('of the impact tells what the load then does', async () => {
    const figura = figuraOf()
    await at.merge(figura, before)
    const was = await at.rows(figura)
    const trial = await at.merge(figura, after, { dryRun: 'impact' })
    expect(await at.rows(figura)).toEqual(was)
    expect(await at.rows(figura, '*', `${figura.name}_history`)).toHaveLength(5)
    expect(trial.stats).toMatchObject({ read: 6, rejected: 0, duplicates: 1, staged: 5, inserted: null })
    const { samples, ...numbers } = trial.impact!
    const { stats: done } = await at.merge(figura, after)
    expect(done).toMatchObject(numbers)
    expect(numbers).toEqual({ inserted: 1, updated: 1, unchanged: 1, stale: 1, deleted: 1, removed: 1 })
    expect(samples).toEqual([
      {
        key: { id: 1 },
        changed: ['nome', 'limite', 'cpf', 'versao'],
        before: { nome: 'a', limite: 1.5, cpf: '…', versao: 1 },
        after: { nome: 'b', limite: '123456789012345678.90', cpf: '…', versao: 2 },
      },
    ])
  })

  test('of the impact shows twenty updates at the most, in the order of their keys', async () => {
    const figura = at.figura({ id: 'bigint', nome: 'text' })
    const rows = (nome: string) => `select i::bigint as id, '${nome}' as nome from generate_series(1, 100) i`
    await at.merge(figura, rows('a'))
    const { impact } = await at.merge(figura, rows('b'), { dryRun: 'impact' })
    expect(impact).toMatchObject({ updated: 100, unchanged: 0 })
    expect(impact?.samples.map(({ key }) => key.id)).toEqual(Array.from({ length: 20 }, (_, no) => no + 1))
  })

  test('of the impact shows that a row comes back', async () => {
    const figura = figuraOf()
    await at.merge(figura, before)
    const gone = rowsOf(`values (1, 'a', 1.50, '1', 1, true)`)
    await at.merge({ ...figura, load: { ...figura.load!, mode: 'merge' } }, gone)
    const { impact } = await at.merge(figura, before, { dryRun: 'impact' })
    expect(impact?.samples).toMatchObject([{ changed: ['excluido_em'], after: { excluido_em: null } }])
  })

  test.each(['merge', 'insert', 'append', 'delete'] as const)('of the impact of %s adds up', async (mode) => {
    const figura = at.figura({ id: 'bigint', nome: 'text' }, { load: { mode } })
    const values = (list: string) => `select * from (values ${list}) as v(id, nome)`
    await at.merge(figura, values(`(1::bigint, 'a'), (2, 'a')`), { mode: 'merge' })
    const next = values(mode === 'append' ? `(3::bigint, 'a')` : `(1::bigint, 'b'), (2, 'a'), (3, 'a')`)
    const trial = await at.merge(figura, next, { dryRun: 'impact' })
    const { samples, ...numbers } = trial.impact!
    const { stats: done } = await at.merge(figura, next)
    expect(done).toMatchObject(numbers)
    expect(samples).toHaveLength(numbers.updated)
  })

  test('of the impact of append is refused for what the unique index of the table would refuse', async () => {
    const figura = at.figura({ id: 'bigint', nome: 'text' }, { load: { mode: 'append' } })
    const values = (list: string) => `select * from (values ${list}) as v(id, nome)`
    await at.merge(figura, values(`(1::bigint, 'a')`))
    for (const list of [`(1::bigint, 'b'), (2, 'b')`, `(3::bigint, 'a'), (3, 'b')`]) {
      const trial: unknown = await at
        .merge(figura, values(list), { dryRun: 'impact' })
        .catch((error: unknown) => error)
      expect(trial).toMatchObject({ code: 'table_refused' })
    }
  })

  test('of the impact of append needs no key', async () => {
    const figura = at.figura({ id: 'bigint', nome: 'text' }, { key: [], load: { mode: 'append' } })
    const rows = `select 1::bigint as id, 'a' as nome`
    await at.merge(figura, rows)
    expect((await at.merge(figura, rows, { dryRun: 'impact' })).impact).toMatchObject({
      inserted: 1,
      unchanged: 0,
    })
  })

  test('of rows for a table that is not there yet tells of all as new, but for those that are gone', async () => {
    const figura = at.figura({ id: 'bigint' }, { load: { deleteMarker: { from: 'fora', how: 'hard' } } })
    const rows = 'select i::bigint as id, i > 2 as _bulk_gone from generate_series(1, 3) i'
    const { impact } = await at.merge(figura, rows, { dryRun: 'impact' })
    expect(impact).toMatchObject({ inserted: 2, unchanged: 1, deleted: 0, samples: [] })
    expect(await at.sql`select to_regclass(${figura.name}) as made`).toMatchObject([{ made: null }])
  })

  test('is refused for what the load would be refused for', async () => {
    const figura = figuraOf()
    await at.merge(figura, before)
    const strict = { ...figura, load: { ...figura.load!, maxDeletePercent: 10 } }
    const one = rowsOf(`values (1, 'a', 1.50, '1', 1, false)`)
    expect(await at.merge(strict, one, { dryRun: 'impact' }).catch((error: unknown) => error)).toMatchObject({
      code: 'too_many_deleted',
    })
  })

  test('of the rows reads and counts, and looks at no table', async () => {
    const figura = figuraOf()
    const { stats: found, impact } = await at.merge(figura, after, { dryRun: 'rows' })
    expect(found).toMatchObject({ read: 6, duplicates: 1, staged: 5, inserted: null, unchanged: null })
    expect(impact).toBeNull()
  })
})
