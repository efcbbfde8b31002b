import { describe, expect, test } from 'bun:test'
import type { TargetTable } from '../../src/db/targets.ts'
import { loadOf, type Figura } from '../../src/figura/types.ts'
import { compareTarget } from '../../src/ingest/target.ts'

const FIGURA: Figura = {
  name: 'precos',
  description: '',
  table: { schema: 'vendas', name: 'precos' },
  key: ['loja', 'produto'],
  columns: [
    { name: 'loja', type: { kind: 'integer' }, required: true, from: 'loja' },
    { name: 'produto', type: { kind: 'char', length: 8 }, required: true, from: 'produto' },
    { name: 'preco', type: { kind: 'numeric', precision: 15, scale: 2 }, required: false, from: 'preco' },
  ],
  sources: [],
}

const TABLE: TargetTable = {
  columns: [column('loja', 'integer'), column('produto', 'character(8)'), column('preco', 'numeric(15,2)')],
  isTable: true,
  uniqueKeys: [['loja', 'produto']],
}

describe('a table that is as the figura declares it', () => {
  test('has no differences', () => {
    expect(compareTarget(FIGURA, TABLE)).toEqual([])
  })

  test('may have its unique index in another order, and others beside it', () => {
    const uniqueKeys = [['produto'], ['produto', 'loja']]
    expect(compareTarget(FIGURA, { ...TABLE, uniqueKeys })).toEqual([])
  })

  test('may have columns of its own that need no value', () => {
    expect(compareTarget(FIGURA, withColumn(column('nota', 'text')))).toEqual([])
  })
})

describe('a difference is told with what would mend it:', () => {
  test('a view in the place of the table', () => {
    const [difference] = compareTarget(FIGURA, { ...TABLE, isTable: false })
    expect(difference).toMatchObject({ found: 'a view or another thing of that name', expected: 'a table' })
  })

  test('a column that is missing', () => {
    const columns = TABLE.columns.filter(({ name }) => name !== 'preco')
    expect(compareTarget(FIGURA, { ...TABLE, columns })).toEqual([
      {
        column: 'preco',
        found: 'no such column in the table',
        expected: 'numeric(15,2)',
        fix: 'alter table "vendas"."precos" add column "preco" numeric(15,2)',
      },
    ])
  })

  test('a column of another type', () => {
    expect(compareTarget(FIGURA, withColumn(column('preco', 'numeric(10,2)')))).toEqual([
      {
        column: 'preco',
        found: 'numeric(10,2)',
        expected: 'numeric(15,2)',
        fix:
          'alter table "vendas"."precos" alter column "preco" type numeric(15,2) using "preco"::numeric(15,2), ' +
          'or declare it as numeric(10,2)',
      },
    ])
  })

  test('a generated column, whatever its type', () => {
    const generated = { ...column('preco', 'integer'), generated: true }
    expect(compareTarget(FIGURA, withColumn(generated))).toEqual([
      {
        column: 'preco',
        found: 'a generated column',
        expected: 'one that can be written',
        fix: 'take the column out of the figura',
      },
    ])
  })

  test('a column that must be given and that no file brings', () => {
    expect(compareTarget(FIGURA, withColumn({ ...column('filial', 'integer'), mustBeGiven: true }))).toEqual([
      {
        column: 'filial',
        found: 'not null and without a default',
        expected: 'a value for it',
        fix: 'declare it in the figura, or give it a default',
      },
    ])
  })

  test.each([
    ['none', []],
    ['one on a part of the key', [['loja']]],
    ['one on more than the key', [['loja', 'produto', 'preco']]],
    ['one on another column', [['preco']]],
  ])('no unique index on the key, but %s', (_, uniqueKeys) => {
    expect(compareTarget(FIGURA, { ...TABLE, uniqueKeys })).toEqual([
      {
        column: 'loja, produto',
        found: 'no unique index',
        expected: 'one on ("loja", "produto")',
        fix: 'create unique index on "vendas"."precos" ("loja", "produto")',
      },
    ])
  })

  test('all of them at once', () => {
    expect(
      compareTarget(FIGURA, { isTable: true, columns: [], uniqueKeys: [] }).map((one) => one.column),
    ).toEqual(['loja', 'produto', 'preco', 'loja, produto'])
  })
})

describe('a figura whose service fills columns', () => {
  const load = {
    ...loadOf({}),
    deleteMarker: { from: 'fora', how: 'soft' as const, at: 'excluido_em' },
    audit: { loadedAt: 'carregado_em', jobId: 'carga_id' },
  }
  const whole: Figura = { ...FIGURA, load, extra: { keep: 'outros' } }

  test('needs them in its table, with their types', () => {
    expect(compareTarget(whole, TABLE).map(({ column: name, expected }) => [name, expected])).toEqual([
      ['outros', 'jsonb'],
      ['excluido_em', 'timestamp with time zone'],
      ['carregado_em', 'timestamp with time zone'],
      ['carga_id', 'uuid'],
    ])
  })

  test('may have them stand there as columns that need a value', () => {
    const columns = [
      column('outros', 'jsonb'),
      column('excluido_em', 'timestamp with time zone'),
      { ...column('carregado_em', 'timestamp with time zone'), mustBeGiven: true },
      column('carga_id', 'uuid'),
    ]
    expect(compareTarget(whole, { ...TABLE, columns: [...TABLE.columns, ...columns] })).toEqual([])
  })
})

test('a figura without a key needs no unique index', () => {
  expect(compareTarget({ ...FIGURA, key: [] }, { ...TABLE, uniqueKeys: [] })).toEqual([])
})

test('what mends a column with a quote in its name is SQL that means that column', () => {
  const odd: Figura = {
    ...FIGURA,
    key: ['a"b'],
    columns: [
      { name: 'a"b', type: { kind: 'text' }, required: true, from: 'a' },
      { name: 'c"d', type: { kind: 'text' }, required: false, from: 'c' },
    ],
  }
  const fixes = compareTarget(odd, { isTable: true, columns: [column('a"b', 'integer')], uniqueKeys: [] })
  expect(fixes.map(({ fix }) => fix)).toEqual([
    'alter table "vendas"."precos" alter column "a""b" type text using "a""b"::text, or declare it as integer',
    'alter table "vendas"."precos" add column "c""d" text',
    'create unique index on "vendas"."precos" ("a""b")',
  ])
  expect(fixes.at(-1)?.expected).toBe('one on ("a""b")')
})

function column(name: string, type: string): TargetTable['columns'][number] {
  return { name, type, mustBeGiven: false, generated: false }
}

/** The table with a column instead of the one of its name, or beside the others. */
function withColumn(changed: TargetTable['columns'][number]): TargetTable {
  return { ...TABLE, columns: [...TABLE.columns.filter(({ name }) => name !== changed.name), changed] }
}
