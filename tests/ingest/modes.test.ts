import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startStaged, stats, VERSIONS, type Staged } from '../support/staged.ts'

const FIRST = `values (1::bigint, 'um'), (2, 'dois'), (3, 'três')`
const rowsOf = (values: string, names = 'id, nome') => `select * from (${values}) as v(${names})`

describe.each(VERSIONS)('on PostgreSQL %s, a load in mode', (version) => {
  let at: Staged
  beforeAll(async () => {
    at = await startStaged(version)
  })
  afterAll(() => at[Symbol.asyncDispose]())

  const twoColumns = { id: 'bigint', nome: 'text' }
  const next = rowsOf(`values (2::bigint, 'dois'), (3, 'novo'), (4, 'quatro')`)

  test('merge inserts new keys, updates what differs and leaves equal rows alone', async () => {
    const figura = at.figura(twoColumns)
    expect((await at.merge(figura, rowsOf(FIRST))).stats).toEqual(stats({ read: 3, inserted: 3 }))
    const { stats: found } = await at.merge(figura, next)
    expect(found).toEqual(stats({ read: 3, inserted: 1, updated: 1, unchanged: 1 }))
    expect(await at.rows(figura)).toMatchObject([
      { nome: 'um' },
      { nome: 'dois' },
      { nome: 'novo' },
      { nome: 'quatro' },
    ])
  })

  test('merge counts the rows of a partitioned table, on however many partitions', async () => {
    for (const partitions of [1, 3]) {
      const figura = at.figura(twoColumns)
      const { name } = figura
      await at.sql.unsafe(`create table ${name} (id bigint primary key, nome text) partition by hash (id)`)
      for (let no = 0; no < partitions; no++)
        await at.sql.unsafe(`create table ${name}_${no} partition of ${name}
          for values with (modulus ${partitions}, remainder ${no})`)
      await at.merge(figura, rowsOf(FIRST))
      const { stats: found } = await at.merge(figura, next)
      expect(found).toEqual(stats({ read: 3, inserted: 1, updated: 1, unchanged: 1 }))
      const gone = await at.merge(figura, 'select i::bigint as id from generate_series(3, 5) i', {
        mode: 'delete',
      })
      expect(gone.stats).toEqual(stats({ read: 3, deleted: 2, unchanged: 1 }))
    }
  })

  test('insert leaves the rows alone that are there', async () => {
    const figura = at.figura(twoColumns)
    await at.merge(figura, rowsOf(FIRST))
    const { stats: found } = await at.merge(figura, next, { mode: 'insert' })
    expect(found).toEqual(stats({ read: 3, inserted: 1, unchanged: 2 }))
    expect(await at.rows(figura)).toMatchObject([{}, {}, { nome: 'três' }, { nome: 'quatro' }])
  })

  test('append inserts every row, twice too where there is no key', async () => {
    const figura = at.figura(twoColumns, { key: [], load: { mode: 'append', allow: ['append'] } })
    await at.merge(figura, rowsOf(FIRST))
    expect((await at.merge(figura, rowsOf(FIRST))).stats).toEqual(stats({ read: 3, inserted: 3 }))
    expect(await at.rows(figura)).toHaveLength(6)
  })

  test('delete deletes the keys of the file, and counts those that are not there as unchanged', async () => {
    const figura = at.figura(twoColumns)
    await at.merge(figura, rowsOf(FIRST))
    const { stats: found } = await at.merge(figura, `select i::bigint as id from generate_series(2, 9) i`, {
      mode: 'delete',
    })
    expect(found).toEqual(stats({ read: 8, deleted: 2, unchanged: 6 }))
    expect(await at.rows(figura)).toMatchObject([{ id: 1 }])
    const none = await at.merge(at.figura(twoColumns), 'select 1::bigint as id', { mode: 'delete' })
    expect(none.stats).toEqual(stats({ read: 1, unchanged: 1 }))
  })

  test('replace deletes what the file lacks', async () => {
    const figura = at.figura(twoColumns, { load: { mode: 'replace', maxDeletePercent: 40 } })
    await at.merge(figura, rowsOf(FIRST))
    const { stats: found } = await at.merge(figura, next)
    expect(found).toEqual(stats({ read: 3, inserted: 1, updated: 1, unchanged: 1, removed: 1 }))
    expect(await at.rows(figura)).toMatchObject([{ id: 2 }, { id: 3, nome: 'novo' }, { id: 4 }])
  })

  test('replace deletes nothing where too much would go, unless all may', async () => {
    const figura = at.figura(twoColumns, { load: { mode: 'replace', maxDeletePercent: 66 } })
    await at.merge(figura, rowsOf(FIRST))
    const one = rowsOf(`values (1::bigint, 'novo')`)
    const refused = await at.merge(figura, one).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'too_many_deleted',
      extra: { rows: 3, lacking: 2, max_delete_percent: 66 },
    })
    expect(await at.rows(figura)).toMatchObject([{ nome: 'um' }, { nome: 'dois' }, { nome: 'três' }])
    const empty = `${one} where false`
    expect(await at.merge(figura, empty).catch((error: unknown) => error)).toMatchObject({
      code: 'too_many_deleted',
    })
    const all = { ...figura, load: { ...figura.load!, maxDeletePercent: 100 } }
    expect((await at.merge(all, empty)).stats).toEqual(stats({ read: 0, removed: 3 }))
    expect(await at.rows(figura)).toHaveLength(0)
  })

  test('replace keeps to the scope of the file, where a null is a value like others', async () => {
    const load = { mode: 'replace' as const, scope: ['filial', 'sala'], maxDeletePercent: 50 }
    const figura = at.figura({ id: 'bigint', filial: 'integer', sala: 'text' }, { load })
    const names = 'id, filial, sala'
    await at.merge(
      figura,
      rowsOf(
        `values (1::bigint, 10, 'a'), (2, 10, 'a'), (3, 10, null), (4, 10, null), (5, 10, 'b'), (6, null, 'a')`,
        names,
      ),
    )
    const { stats: found } = await at.merge(
      figura,
      rowsOf(`values (1::bigint, 10, 'a'), (3, 10, null)`, names),
    )
    expect(found).toEqual(stats({ read: 2, unchanged: 2, removed: 2 }))
    expect((await at.rows(figura)).map((row) => row.id)).toEqual([1, 3, 5, 6])
    const lacking = await at
      .merge(figura, 'select 1::bigint as id, 10 as filial')
      .catch((error: unknown) => error)
    expect(lacking).toMatchObject({ code: 'schema_differs' })
  })

  test('merge never lets an older version overwrite a newer one', async () => {
    const figura = at.figura({ ...twoColumns, versao: 'integer' }, { load: { version: 'versao' } })
    const names = 'id, nome, versao'
    await at.merge(
      figura,
      rowsOf(`values (1::bigint, 'a', 5), (2, 'a', 5), (3, 'a', 5), (4, 'a', null)`, names),
    )
    const { stats: found } = await at.merge(
      figura,
      rowsOf(`values (1::bigint, 'b', 4), (2, 'b', 5), (3, 'b', null), (4, 'b', 1), (5, 'b', null)`, names),
    )
    expect(found).toEqual(stats({ read: 5, inserted: 1, updated: 2, stale: 2 }))
    expect((await at.rows(figura)).map((row) => row.nome)).toEqual(['a', 'b', 'a', 'b', 'b'])
    const without = await at.merge(figura, `select 1::bigint as id, 'c' as nome`)
    expect(without.stats).toEqual(stats({ read: 1, stale: 1 }))
  })

  test('merge neither updates nor compares columns that are only inserted', async () => {
    const figura = at.figura({ ...twoColumns, criado: { of: 'integer', onlyInsert: true } })
    const names = 'id, nome, criado'
    await at.merge(figura, rowsOf(`values (1::bigint, 'a', 1), (2, 'a', 1)`, names))
    const { stats: found } = await at.merge(figura, rowsOf(`values (1::bigint, 'a', 2), (2, 'b', 2)`, names))
    expect(found).toEqual(stats({ read: 2, updated: 1, unchanged: 1 }))
    expect(await at.rows(figura)).toMatchObject([{ criado: 1 }, { nome: 'b', criado: 1 }])
  })

  test('merge fills the columns of the audit in where it writes, and there alone', async () => {
    const audit = { loadedAt: 'carregado_em', jobId: 'carga_id' }
    const figura = at.figura(twoColumns, { load: { audit } })
    const [one, two] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()]
    await at.merge(figura, rowsOf(FIRST), { id: one })
    await at.merge(figura, next, { id: two })
    const rows = await at.rows(figura, 'id, carregado_em, carga_id')
    expect(rows.map((row) => row.cargaId)).toEqual([one, one, two, two])
    expect(new Set(rows.map((row) => Number(row.carregadoEm))).size).toBe(2)
  })

  test('merge writes the columns that are gathered as jsonb, and compares them', async () => {
    const figura = at.figura(twoColumns, { extra: { keep: 'outros' } })
    const names = 'id, nome, outros'
    await at.merge(figura, rowsOf(`values (1::bigint, 'a', '{"x": 1}'::jsonb), (2, 'a', '{"x": 1}')`, names))
    const { stats: found } = await at.merge(
      figura,
      rowsOf(`values (1::bigint, 'a', '{"x": 2}'::jsonb), (2, 'a', '{"x":1}')`, names),
    )
    expect(found).toEqual(stats({ read: 2, updated: 1, unchanged: 1 }))
    expect(await at.rows(figura)).toMatchObject([{ outros: { x: 2 } }, { outros: { x: 1 } }])
  })

  test('merge with a hard marker deletes the rows that are gone', async () => {
    const figura = at.figura(twoColumns, { load: { deleteMarker: { from: 'fora', how: 'hard' } } })
    const names = 'id, nome, _bulk_gone'
    const given = `values (1::bigint, 'um', false), (2, 'dois', null), (3, 'três', true)`
    expect((await at.merge(figura, rowsOf(given, names))).stats).toEqual(
      stats({ read: 3, inserted: 2, unchanged: 1 }),
    )
    const { stats: found } = await at.merge(
      figura,
      rowsOf(`values (1::bigint, 'um', true), (9, '', true)`, names),
    )
    expect(found).toEqual(stats({ read: 2, deleted: 1, unchanged: 1 }))
    expect(await at.rows(figura)).toMatchObject([{ id: 2 }])
  })

  test('merge with a soft marker keeps the row with the time, until the file has it again', async () => {
    const deleteMarker = { from: 'fora', how: 'soft' as const, at: 'excluido_em' }
    const figura = at.figura(
      { ...twoColumns, versao: 'integer' },
      { load: { deleteMarker, version: 'versao' } },
    )
    const send = (values: string) => at.merge(figura, rowsOf(values, 'id, nome, versao, _bulk_gone'))
    await send(`values (1::bigint, 'um', 1, false), (2, 'dois', 1, false)`)
    const gone = `values (1::bigint, 'x', 5, true), (3, 'x', 5, true)`
    expect((await send(gone)).stats).toEqual(stats({ read: 2, deleted: 1, unchanged: 1 }))
    const [row] = await at.rows(figura)
    expect(row).toMatchObject({ id: 1, nome: 'um', versao: 5, excluidoEm: expect.any(Date) })
    expect((await send(gone)).stats).toEqual(stats({ read: 2, unchanged: 2 }))
    // an older row that comes late does not bring it back
    expect((await send(`values (1::bigint, 'um', 4, false)`)).stats).toEqual(stats({ read: 1, stale: 1 }))
    expect((await send(`values (1::bigint, 'um', 5, false)`)).stats).toEqual(stats({ read: 1, updated: 1 }))
    expect(await at.rows(figura)).toMatchObject([{ id: 1, nome: 'um', excluidoEm: null }, { id: 2 }])
  })

  test('merge refuses to commit when a trigger drops a row', async () => {
    const figura = at.figura(twoColumns)
    await at.merge(figura, rowsOf(FIRST))
    await at.sql.unsafe(`
      create function ${figura.name}_f() returns trigger language plpgsql as $$ begin return null; end $$;
      truncate ${figura.name};
      create trigger f before insert on ${figura.name} for each row when (new.id = 2)
        execute function ${figura.name}_f()`)
    const refused = await at.merge(figura, rowsOf(FIRST)).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'table_refused' })
    expect(await at.rows(figura)).toHaveLength(0)
  })
})
