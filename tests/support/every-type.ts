import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Columns of every type of the service: PostgreSQL's name, and DuckDB's expression that makes a value from a row's
 * number `i`.
 */
export const EVERY_TYPE: Record<string, { type: string; value: string }> = {
  verdade: { type: 'boolean', value: `(hash(i) % 2 = 0)` },
  curto: { type: 'smallint', value: `(hash(i, 1) % 65536)::int - 32768` },
  inteiro: { type: 'integer', value: `(hash(i, 2) % 4294967296)::bigint - 2147483648` },
  longo: { type: 'bigint', value: `(hash(i, 3)::hugeint - 9223372036854775808)` },
  flutua: { type: 'real', value: `((hash(i, 4) % 1000000007)::double * 1e-3 - 5e5)` },
  dupla: {
    type: 'double precision',
    value: `((hash(i, 5) % 1000000007)::double * pow(10, (i % 500)::int - 250))`,
  },
  valor: {
    type: 'numeric(15,2)',
    value: `((hash(i, 6) % 1000000000000000)::bigint::decimal(18,0) / 100 - 5000000000000)`,
  },
  grande: {
    type: 'numeric(38,10)',
    value: `((hash(i, 7)::hugeint * 1000000007)::decimal(38,0) * 0.0000000001::decimal(11,10))`,
  },
  texto: {
    type: 'text',
    value: `repeat(chr(97 + (i % 26)::int), (hash(i, 8) % 40)::int) || ' ção ' || i || ' 🙂'`,
  },
  curtinho: { type: 'varchar(40)', value: `left(md5(i::varchar), (i % 32)::int)` },
  uf: { type: 'char(2)', value: `['SP', 'RJ', 'MG', 'R'][1 + (i % 4)::int]` },
  dia: { type: 'date', value: `(date '0001-01-01' + (hash(i, 9) % 3600000)::int)` },
  hora: { type: 'time', value: `(time '00:00:00' + to_microseconds((hash(i, 10) % 86400000000)::bigint))` },
  instante: {
    type: 'timestamp',
    value: `make_timestamp((hash(i, 11) % 8000000000000000)::bigint - 4000000000000000)`,
  },
  momento: {
    type: 'timestamptz',
    value: `make_timestamp((hash(i, 12) % 4000000000000000)::bigint)::timestamptz`,
  },
  chave: { type: 'uuid', value: `md5(i::varchar)::uuid` },
  bytes: { type: 'bytea', value: `unhex(left(md5(i::varchar), 2 * (i % 17)::int))` },
  extra: { type: 'jsonb', value: `'{"a": ' || i || ', "nome": "n' || (i % 100) || '"}'` },
  marcas: { type: 'text[]', value: `[chr(97 + (i % 26)::int), null, 'uma marca um pouco mais longa']` },
  numeros: { type: 'bigint[]', value: `[i, -i, null, 9223372036854775807]` },
  medidas: { type: 'double precision[]', value: `list_transform(range(i % 4), x -> x * 1.5::double)` },
  precos: { type: 'numeric(10,2)[]', value: `[(i % 1000)::decimal(10,2), -0.01::decimal(10,2)]` },
}

/** DuckDB's query for `rows` rows of every type, with nulls sprinkled over all of them but the key. */
export function everyTypeSelect(rows: number): string {
  const columns = Object.entries(EVERY_TYPE).map(([name, { type, value }], at) => {
    const cast = duckName(type)
    return `case when i % 23 = ${at % 23} then null else (${value})::${cast} end as ${name}`
  })
  return `select i as id, ${columns.join(', ')} from range(${rows}) t(i)`
}

/** Writes the figura's file. */
export function writeEveryTypeFigura(folder: string, name: string, source: string): void {
  const columns = Object.entries(EVERY_TYPE).map(([column, { type }]) => `  ${column}: { type: '${type}' }`)
  const lines = [
    'description: Every type',
    `table: public.${name}`,
    'key: [id]',
    'columns:',
    '  id: { type: bigint }',
    ...columns,
  ]
  writeFileSync(join(folder, `${name}.yaml`), `${[...lines, `sources: ['${source}']`].join('\n')}\n`)
}

function duckName(type: string): string {
  return type
    .replace('double precision', 'double')
    .replace('numeric', 'decimal')
    .replace(/^char\(.*/, 'varchar')
    .replace('bytea', 'blob')
    .replace('jsonb', 'varchar')
}
