import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { changedSuppliers, suppliers, toJson } from '../../scripts/suppliers.ts'
import { type Converted, type FileColumn, jsonToParquet } from '../../scripts/to-parquet.ts'
import { openFiguras } from '../../src/figura/load.ts'
import { typeName } from '../../src/figura/type-names.ts'
import { freshFolder } from '../support/servers.ts'

const SUPPLIER_COLUMNS = columnsOf('fornecedores')

describe('jsonToParquet', () => {
  test('keeps every value of the list of suppliers, in the types of the figura', async () => {
    using folder = freshFolder()
    const first = suppliers({ count: 5000, seed: 3 })
    const { list } = changedSuppliers(first, 3)
    const { converted, parquet } = await convert(folder.path, toJson(list), SUPPLIER_COLUMNS)
    expect(converted).toMatchObject({ rows: list.length, rowGroups: 3, unknown: [], absent: [] })

    const rows = await query(`
      select * replace (limite_credito::varchar as limite_credito, fundado_em::varchar as fundado_em,
        epoch_ms(atualizado_em) as atualizado_em, to_json(tags)::varchar as tags)
      from '${parquet}' order by id`)
    const expected = list.map((one) => ({
      ...one,
      limite_credito: one.limite_credito ? Number(one.limite_credito).toFixed(2) : null,
      fundado_em: one.fundado_em || null,
      atualizado_em: Date.parse(one.atualizado_em),
    }))
    const found = rows.map((row) => ({
      ...row,
      id: Number(row.id),
      atualizado_em: Number(row.atualizado_em),
      contatos: row.contatos === null ? null : JSON.parse(String(row.contatos)),
      tags: row.tags === null ? null : JSON.parse(String(row.tags)),
    }))
    expect(found.map((row) => JSON.stringify(row))).toEqual(expected.map((row) => JSON.stringify(row)))
  })

  test('writes the types that the figura declares, compressed with zstd', async () => {
    using folder = freshFolder()
    const { parquet } = await convert(
      folder.path,
      toJson(suppliers({ count: 10, seed: 1 })),
      SUPPLIER_COLUMNS,
    )
    const described = await query(`describe select * from '${parquet}'`)
    const types = Object.fromEntries(described.map((row) => [row.column_name, row.column_type]))
    expect(types).toMatchObject({
      id: 'BIGINT',
      estado: 'VARCHAR',
      limite_credito: 'DECIMAL(15,2)',
      score: 'DOUBLE',
      ativo: 'BOOLEAN',
      fundado_em: 'DATE',
      atualizado_em: 'TIMESTAMP WITH TIME ZONE',
      tags: 'VARCHAR[]',
    })
    const codecs = await query(`select distinct compression from parquet_metadata('${parquet}')`)
    expect(codecs).toEqual([{ compression: 'ZSTD' }])
  })

  test('takes numbers as texts or numbers, and an empty text as null, but not in a text column', async () => {
    using folder = freshFolder()
    const json = '[{"n":"1.50","i":7,"t":""},{"n":2.5,"i":"8","t":" x "},{"n":"","i":" ","t":null},{"n":1e3}]'
    const { parquet } = await convert(folder.path, json, [
      column('n', 'numeric(9,2)'),
      column('i', 'integer'),
      column('t', 'text'),
    ])
    expect(await query(`select n::varchar as n, i, t from '${parquet}'`)).toEqual([
      { n: '1.50', i: 7, t: '' },
      { n: '2.50', i: 8, t: ' x ' },
      { n: null, i: null, t: null },
      { n: '1000.00', i: null, t: null },
    ])
  })

  test('takes a time without a zone for one of the zone that is named', async () => {
    using folder = freshFolder()
    const json = '[{"z":"2026-03-02T12:00:00"},{"z":"2026-03-02T12:00:00+01:00"}]'
    const { parquet } = await convert(folder.path, json, [column('z', 'timestamptz')], 'America/Sao_Paulo')
    expect(await query(`select epoch_ms(z)::double as z from '${parquet}'`)).toEqual([
      { z: Date.UTC(2026, 2, 2, 15) },
      { z: Date.UTC(2026, 2, 2, 11) },
    ])
  })

  test('keeps jsonb as JSON, whatever stands there', async () => {
    using folder = freshFolder()
    const json = '[{"j":"text"},{"j":{"a":[1.5,null,"ç\\u0000"]}},{"j":[]},{"j":null},{"j":7}]'
    const { parquet } = await convert(folder.path, json, [column('j', 'jsonb')])
    const rows = await query(`select j::varchar as j from '${parquet}'`)
    expect(rows.map((row) => (row.j === null ? null : JSON.parse(String(row.j))))).toEqual([
      'text',
      { a: [1.5, null, 'ç\u0000'] },
      [],
      null,
      7,
    ])
  })

  test('refuses to round, and names the column and the value', async () => {
    using folder = freshFolder()
    const money = convert(folder.path, '[{"preco":"1.005"}]', [column('preco', 'numeric(9,2)')])
    expect(await failure(money)).toContain(
      'column preco: found 1.005, expected a value of type numeric(9,2), without rounding',
    )
    const whole = convert(folder.path, '[{"n":1.5}]', [column('n', 'bigint')])
    expect(await failure(whole)).toContain('column n: found 1.5')
  })

  test('names the column and the value that do not fit the type', async () => {
    using folder = freshFolder()
    const converted = convert(folder.path, '[{"dia":"31/12/2025"}]', [column('dia', 'date')])
    expect(await failure(converted)).toContain(
      'list.json: column dia: found 31/12/2025, expected a value of type date',
    )
  })

  test('tells the fields that the figura lacks, and those that no record has', async () => {
    using folder = freshFolder()
    const columns = [column('id', 'bigint'), column('nome', 'text')]
    const json = '[{"id":1,"obs":"a"},{"id":2,"nota":3}]'
    const { converted, parquet } = await convert(folder.path, json, columns)
    expect(converted).toMatchObject({ rows: 2, unknown: ['nota', 'obs'], absent: ['nome'] })
    // a column of nulls would empty what the table has there
    const names = await query(`select name from parquet_schema('${parquet}') where name <> 'duckdb_schema'`)
    expect(names).toEqual([{ name: 'id' }])
  })

  test('refuses a list without a required field, an empty one, and what is no list of records', async () => {
    using folder = freshFolder()
    const columns = [{ ...column('cnpj', 'text'), required: true }]
    for (const [json, sentence] of [
      ['[{"cpnj":"1"}]', 'found no field cnpj, which the figura requires; it has cpnj'],
      ['[]', 'found no record'],
      ['', 'found no record'],
      ['[1, 2]', 'found no record'],
      ['[{"cnpj":"1"', 'Malformed JSON'],
    ] as const) {
      const converted = convert(folder.path, json, columns)
      expect(await failure(converted)).toContain(sentence)
    }
  })
})

function column(name: string, type: string): FileColumn {
  return { name, type, required: false }
}

/** As GET /figuras/{figura} tells them. */
function columnsOf(figura: string): FileColumn[] {
  const loaded = openFiguras(join(import.meta.dir, '../../figuras'), ['*']).get(figura)
  if (!loaded?.figura) throw new Error(`figuras/${figura}.yaml does not load`)
  return loaded.figura.columns.map(({ from, type, required }) => ({
    name: from,
    type: typeName(type),
    required,
  }))
}

async function convert(
  dir: string,
  json: string,
  columns: FileColumn[],
  zone = 'UTC',
): Promise<{ converted: Converted; parquet: string }> {
  const list = join(dir, 'list.json')
  const parquet = join(dir, `${crypto.randomUUID()}.parquet`)
  await Bun.write(list, json)
  const converted = await jsonToParquet({ json: list, parquet, columns, rowsPerGroup: 2048, zone })
  return { converted, parquet }
}

/** The message of the error that it ends with. */
async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: Error) => error.message,
  )
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJS()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
