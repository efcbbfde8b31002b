import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startRig, type Rig } from '../support/rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig[Symbol.asyncDispose]())

describe('a file that must not be loaded ends in erro with the table untouched', () => {
  const column = `  id: { type: bigint }\n  nome: { type: varchar(5), required: true }\n  extra: { type: jsonb }`

  test.each([
    [
      'a null key',
      'key_null',
      `select case when i in (3, 7) then null else i end as id, 'n' as nome from range(20) t(i)`,
      'found 2 row(s) where it is null, the first in row 4, 8',
    ],
    [
      'a repeated key',
      'key_repeated',
      `select i // 2 as id, 'n' as nome from range(20) t(i)`,
      'found 10 key(s) that stand in 20 rows (0 in rows 1 and 2;',
    ],
    [
      'a null in a required column',
      'required_null',
      `select i as id, case when i = 4 then null else 'n' end as nome from range(20) t(i)`,
      'found 1 null(s) in rows 1 to 20, the first in row 5',
    ],
    [
      'a text that is too long',
      'value_refused',
      `select i as id, repeat('x', i::int) as nome from range(1, 9) t(i)`,
      'found longer text in 3 row(s) of a chunk, the first in row 6, expected at most 5 characters',
    ],
    [
      'a text with a NUL',
      'value_refused',
      `select i as id, case when i = 2 then 'a' || chr(0) else 'n' end as nome from range(9) t(i)`,
      'found text with a NUL character in 1 row(s) of a chunk, the first in row 3',
    ],
    [
      'text that is no JSON',
      'value_refused',
      `select i as id, 'n' as nome, case when i = 5 then '{' else '{}' end as extra from range(9) t(i)`,
      'found text that is not JSON in 1 row(s) of a chunk, the first in row 6',
    ],
    [
      'a column of the wrong type',
      'schema_differs',
      `select i::varchar as id, 1 as nome from range(9) t(i)`,
      'found 2 column(s) that do not fit (id, nome)',
    ],
  ])('%s', async (_what, code, select, sentence) => {
    const name = `erro_${crypto.randomUUID().slice(0, 8)}`
    rig.writeFigura(name, column)
    await rig.send(name, 'good', `select i as id, 'velho' as nome from range(5) t(i)`)
    const job = await rig.send(name, 'bad', select)
    expect(job.status).toBe('erro')
    expect(job.error).toMatchObject({ code })
    expect(String((job.error as { detail: string }).detail)).toContain(sentence)
    const [table] =
      await rig.sql`select count(*)::int as rows, min(nome) as nome, max(nome) as last from ${rig.sql(name)}`
    expect(table).toEqual({ rows: 5, nome: 'velho', last: 'velho' })
    const next = await rig.send(name, 'next', `select i as id, 'novo' as nome from range(5) t(i)`)
    expect(next).toMatchObject({ status: 'completo', stats: { updated: 5 } })
  })

  test('a repeated key of any length, which is shown by its beginning', async () => {
    rig.writeFigura('longa', '  id: { type: text }')
    const { error } = await rig.send('longa', 'a', `select repeat('k', 2000) as id from range(2) t(i)`)
    expect(error).toMatchObject({ code: 'key_repeated', examples: [{ key: { id: 'k'.repeat(100) } }] })
    expect((error as { detail: string }).detail.length).toBeLessThan(400)
  })

  test('a file of no known format, one that is not there, and one with another SHA-256', async () => {
    rig.writeFigura('formato', column)
    const { bucket, service } = rig
    await bucket.put('texto.parquet', '<!doctype html><title>404</title>')
    const text = await service.load('formato', bucket.url('texto.parquet'))
    expect(text.error).toMatchObject({ code: 'file_not_known' })
    const missing = await service.load('formato', bucket.url('nao-existe.parquet'))
    expect(missing.error).toMatchObject({ code: 'source_missing' })
    const file = await rig.putFile('sha', `select i as id, 'n' as nome from range(5) t(i)`)
    const job = await service.load('formato', file.url, { sha256: '0'.repeat(64) })
    expect(job.error).toMatchObject({ code: 'sha256_differs', expected: '0'.repeat(64) })
  })

  test('a table that differs from the figura stops that figura alone, and says what would mend it', async () => {
    await rig.sql`create table alheia (id bigint primary key, nome integer)`
    rig.writeFigura('alheia', `  id: { type: bigint }\n  nome: { type: text }\n  nota: { type: text }`)
    const job = await rig.send('alheia', 'a', `select i as id, 'n' as nome, 'x' as nota from range(5) t(i)`)
    expect(job.error).toMatchObject({ code: 'target_differs' })
    const { differences } = job.error as { differences: { column: string; fix: string }[] }
    expect(differences.map((difference) => difference.column)).toEqual(['nome', 'nota'])
    expect(differences[1]?.fix).toContain('add column "nota" text')
    await rig.sql`create view vista as select 1::bigint as id`
    rig.writeFigura('vista', `  id: { type: bigint }`)
    const view = await rig.send('vista', 'a', `select i as id from range(5) t(i)`)
    expect(view.error).toMatchObject({ code: 'target_differs', differences: [{ expected: 'a table' }] })
    rig.writeFigura('vizinha', `  id: { type: bigint }`)
    expect(await rig.send('vizinha', 'a', `select i as id from range(5) t(i)`)).toMatchObject({
      status: 'completo',
    })
  })
})
