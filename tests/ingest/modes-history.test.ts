import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Figura, Load } from '../../src/figura/types.ts'
import { startStaged, stats, VERSIONS, type Staged } from '../support/staged.ts'

describe.each(VERSIONS)('on PostgreSQL %s, the history of a table', (version) => {
  let at: Staged
  beforeAll(async () => {
    at = await startStaged(version)
  })
  afterAll(() => at[Symbol.asyncDispose]())

  const figuraOf = (load: Partial<Load> = {}) =>
    at.figura({ id: 'bigint', nome: 'text' }, { load: { history: true, ...load } })
  const send = (figura: Figura, values: string, job = {}) =>
    at.merge(figura, `select * from (${values}) as v(id, nome)`, job)
  /** Each version as "id nome", with ` (now)` when it holds. */
  const versions = async (figura: Figura) => {
    const list = `id, nome, valid_from, valid_to, valid_from::text as since, job_id`
    const rows = await at.sql.unsafe(`select ${list} from ${figura.name}_history order by id, valid_from`)
    return rows.map((row) => `${row.id} ${row.nome}${row.validTo === null ? ' (now)' : ''}`)
  }

  test('begins with the rows that are there, and has a version for each change', async () => {
    const figura = figuraOf()
    await send({ ...figura, load: { ...figura.load!, history: false } }, `values (1::bigint, 'a'), (2, 'a')`)
    const { stats: found } = await send(figura, `values (1::bigint, 'b'), (3, 'a')`)
    expect(found).toEqual(stats({ read: 2, inserted: 1, updated: 1 }))
    expect(await versions(figura)).toEqual(['1 a', '1 b (now)', '2 a (now)', '3 a (now)'])
    const seeded = await at.rows(
      figura,
      'id, job_id',
      `${figura.name}_history where valid_from = '-infinity'`,
    )
    expect(seeded).toMatchObject([
      { id: 1, jobId: null },
      { id: 2, jobId: null },
    ])
    await send(figura, `values (1::bigint, 'b'), (2, 'a')`)
    expect(await versions(figura)).toHaveLength(4)
  })

  test('joins its versions without a gap, and says by which job they came', async () => {
    const figura = figuraOf()
    const jobs = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()]
    for (const [no, id] of jobs.entries()) await send(figura, `values (1::bigint, 'v${no}')`, { id })
    const rows = await at.rows(
      figura,
      'valid_from::text as a, valid_to::text as b, job_id',
      `${figura.name}_history`,
    )
    expect(rows.map((row) => row.jobId)).toEqual(jobs)
    expect(rows[0]?.b).toBe(rows[1]?.a)
    expect(rows[1]?.b).toBe(rows[2]?.a)
    expect(rows[2]?.b).toBeNull()
  })

  test('closes the versions of rows that are deleted, replaced or marked as gone', async () => {
    const figura = figuraOf({ mode: 'replace', maxDeletePercent: 100 })
    await send(figura, `values (1::bigint, 'a'), (2, 'a'), (3, 'a')`)
    await send(figura, `values (1::bigint, 'a'), (2, 'b')`)
    expect(await versions(figura)).toEqual(['1 a (now)', '2 a', '2 b (now)', '3 a'])
    await at.merge(figura, 'select 2::bigint as id', { mode: 'delete' })
    expect(await versions(figura)).toEqual(['1 a (now)', '2 a', '2 b', '3 a'])
    await send(figura, `values (1::bigint, 'a'), (3, 'c')`, { mode: 'insert' })
    expect(await versions(figura)).toEqual(['1 a (now)', '2 a', '2 b', '3 a', '3 c (now)'])
  })

  test('has no version that holds while a row is softly deleted', async () => {
    const deleteMarker = { from: 'fora', how: 'soft' as const, at: 'excluido_em' }
    const figura = figuraOf({ deleteMarker })
    const mark = (gone: boolean) =>
      at.merge(figura, `select 1::bigint as id, 'a' as nome, ${gone} as _bulk_gone`)
    await mark(false)
    await mark(true)
    expect(await versions(figura)).toEqual(['1 a'])
    await mark(true)
    await mark(false)
    expect(await versions(figura)).toEqual(['1 a', '1 a (now)'])
  })

  test('stays as it was when the load is rolled back', async () => {
    const figura = figuraOf({ mode: 'replace', maxDeletePercent: 0 })
    await send(figura, `values (1::bigint, 'a'), (2, 'a')`)
    expect(await send(figura, `values (1::bigint, 'b')`).catch((error: unknown) => error)).toMatchObject({
      code: 'too_many_deleted',
    })
    expect(await versions(figura)).toEqual(['1 a (now)', '2 a (now)'])
  })

  test('that lacks a column of the figura is told before the load', async () => {
    const figura = figuraOf()
    await send(figura, `values (1::bigint, 'a')`)
    await at.sql.unsafe(`alter table ${figura.name}_history drop column nome`)
    expect(await send(figura, `values (1::bigint, 'b')`).catch((error: unknown) => error)).toMatchObject({
      code: 'target_differs',
      extra: {
        differences: [
          {
            column: 'history: nome',
            fix: `alter table "public"."${figura.name}_history" add column "nome" text`,
          },
        ],
      },
    })
  })
})
