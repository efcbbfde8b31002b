import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { canonicalName, parseType, typeName } from '../../src/figura/type-names.ts'
import type { ColumnType } from '../../src/figura/types.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

const NAMES = [
  ...[
    'boolean',
    'smallint',
    'integer',
    'bigint',
    'real',
    'double precision',
    'numeric(1,0)',
    'numeric(38,38)',
  ],
  ...['numeric(15,2)', 'text', 'varchar(1)', 'varchar(10485760)', 'char(14)', 'date', 'time', 'timestamp'],
  ...[
    'timestamptz',
    'uuid',
    'bytea',
    'jsonb',
    'text[]',
    'varchar(20)[]',
    'smallint[]',
    'integer[]',
    'bigint[]',
  ],
  ...['real[]', 'double precision[]', 'numeric(38,10)[]'],
]

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

function parsed(name: string): ColumnType {
  const type = parseType(name)
  if (typeof type === 'string') throw new Error(type)
  return type
}

describe('every type of a figura', () => {
  for (const name of NAMES) {
    test(`${name} is read, and written again as it was`, () => {
      expect(typeName(parsed(name))).toBe(name)
    })
  }

  test('has the name that PostgreSQL gives it', async () => {
    const { sql } = database
    const columns = NAMES.map((name, at) => `c${at} ${canonicalName(parsed(name))}`)
    await sql.unsafe(`create table every_type (${columns.join(', ')})`)
    const given = await sql`select format_type(atttypid, atttypmod) as name from pg_attribute
      where attrelid = 'every_type'::regclass and attnum > 0 order by attnum`
    expect(given.map(({ name }) => String(name))).toEqual(NAMES.map((name) => canonicalName(parsed(name))))
  })

  test('may be written with spaces', () => {
    expect(parseType(' numeric( 15, 2 ) ')).toEqual({ kind: 'numeric', precision: 15, scale: 2 })
    expect(parseType('double  precision []')).toEqual({ kind: 'array', of: { kind: 'double precision' } })
  })
})

describe('what is no type says what was expected', () => {
  const wrong: [string, RegExp][] = [
    ['int', /^found "int", expected the name integer$/],
    ['INTEGER', /^found "INTEGER", expected the name integer$/],
    ['timestamp with time zone', /expected the name timestamptz$/],
    ['decimal(15,2)', /expected the name numeric$/],
    ['numeric', /expected numeric\(precision,scale\) with 1 to 38 digits/],
    ['numeric(15)', /expected numeric\(precision,scale\)/],
    ['numeric(0,0)', /1 to 38 digits/],
    ['numeric(39,2)', /1 to 38 digits/],
    ['numeric(5,6)', /1 to 38 digits/],
    ['numeric(5,-1)', /1 to 38 digits/],
    ['numeric(5,1,1)', /1 to 38 digits/],
    ['varchar', /expected varchar\(length\) with 1 to 10485760 characters/],
    ['char(0)', /expected char\(length\)/],
    ['varchar(10485761)', /1 to 10485760/],
    ['varchar(1e3)', /1 to 10485760/],
    ['date[]', /^found "date\[\]", expected an array of text, varchar/],
    ['text[][]', /expected/],
    ['[]', /expected one of boolean, smallint/],
    ['', /expected one of boolean, smallint/],
    ['constructor', /expected one of boolean, smallint/],
    ['text; drop table x', /expected one of boolean, smallint/],
  ]
  for (const [name, said] of wrong) {
    test(`"${name}"`, () => {
      expect(parseType(name)).toMatch(said)
    })
  }
})
