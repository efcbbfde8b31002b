import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openDuckdb, type Duckdb } from '../../src/db/duckdb.ts'
import { BulkError } from '../../src/errors.ts'
import { parseFigura } from '../../src/figura/load.ts'
import { readExpressions } from '../../src/ingest/expression.ts'
import { freshFolder } from '../support/servers.ts'

const folder = freshFolder()
const workDir = join(folder.path, 'work')
const secret = join(folder.path, 'secret')
let duckdb: Duckdb

beforeAll(async () => {
  mkdirSync(workDir)
  writeFileSync(secret, 'id\n1\n')
  duckdb = await openDuckdb({ workDir, memoryBytes: 256 * 1024 * 1024 })
})
afterAll(async () => {
  await duckdb.close()
  folder[Symbol.dispose]()
})

/** Ways out of a DuckDB: to files, to the network, to code, and to its own settings. */
const ESCAPES = [
  `from read_csv('/etc/passwd')`,
  `from read_csv_auto('${secret}')`,
  `from sniff_csv('${secret}')`,
  `from read_text('/etc/passwd')`,
  `from read_blob('/proc/self/environ')`,
  `from read_json('${secret}')`,
  `from read_json_objects('${secret}')`,
  `from read_ndjson('${secret}')`,
  `from read_ndjson_objects('${secret}')`,
  `from read_parquet('${secret}')`,
  `from parquet_metadata('${secret}')`,
  `from parquet_schema('${secret}')`,
  `from parquet_file_metadata('${secret}')`,
  `from parquet_kv_metadata('${secret}')`,
  `from parquet_scan('${secret}')`,
  `from '${secret}.csv'`,
  `from '/etc/passwd'`,
  `from glob('/etc/*')`,
  `from read_text('${workDir}/../secret')`,
  `from read_text('${workDir}-other/secret')`,
  `from read_text('file://${secret}')`,
  `from read_text('https://127.0.0.1:1/a')`,
  `from read_parquet('s3://bucket/a.parquet')`,
  `from read_csv('hf://datasets/a/b.csv')`,
  `copy (select 1) to '${folder.path}/out.csv'`,
  `copy (select 1) to '/tmp/out.parquet' (format parquet)`,
  `copy (select 1) to 'https://127.0.0.1:1/a'`,
  `export database '${folder.path}/out'`,
  `import database '${folder.path}/in'`,
  `attach '${folder.path}/other.db'`,
  `attach ':memory:' as other (type sqlite)`,
  `attach 'https://127.0.0.1:1/a.db'`,
  `attach 'host=127.0.0.1' as pg (type postgres)`,
  'install httpfs',
  `install httpfs from 'http://127.0.0.1:1'`,
  'force install httpfs from community',
  'load httpfs',
  `load '${folder.path}/evil.duckdb_extension'`,
  'update extensions',
  `create secret (type s3, key_id 'a', secret 'b')`,
  `create persistent secret (type s3, key_id 'a', secret 'b')`,
  `select getenv('PATH')`,
  'set enable_external_access = true',
  `set allowed_directories = ['/']`,
  `set allowed_paths = ['/etc/passwd']`,
  'set lock_configuration = false',
  'reset lock_configuration',
  `set memory_limit = '100GB'`,
  `set max_temp_directory_size = '100GB'`,
  `set temp_directory = '/tmp/else'`,
  'set threads = 64',
  'set autoinstall_known_extensions = true',
  'set autoload_known_extensions = true',
  'set allow_community_extensions = true',
  'set allow_unsigned_extensions = true',
  `set extension_directory = '${folder.path}'`,
  `set home_directory = '/'`,
  `set custom_extension_repository = 'http://127.0.0.1:1'`,
  `set global enable_logging = true`,
  `pragma enable_profiling = 'json'`,
  `pragma profile_output = '${folder.path}/out.json'`,
]

test.each(ESCAPES)('DuckDB refuses: %s', async (statement) => {
  await expect(duckdb.query(statement)).rejects.toThrow()
})

test('what is in its own folder it reads', async () => {
  writeFileSync(join(workDir, 'own.csv'), 'id\n1\n')
  expect(await duckdb.query(`from read_csv('${workDir}/own.csv')`)).toEqual([{ id: 1n }])
})

/** The same out of an expression of a figura, with what an expression could add: the service's own settings, time. */
const EXPRESSIONS = [
  ...ESCAPES.map((statement) => statement.replace(/^select /, '')),
  ...ESCAPES.filter((statement) => statement.startsWith('from')).map((statement) => `(${statement})`),
  `(select content from read_text('/etc/passwd'))`,
  `exists(from glob('/etc/*'))`,
  `id in (select size from read_text('/etc/passwd'))`,
  `read_text('/etc/passwd')`,
  `[x for x in (from read_text('/etc/passwd'))]`,
  `1) from read_text('/etc/passwd'`,
  `1; copy (select 1) to '/tmp/x'`,
  `1 union all select 1 from read_text('/etc/passwd')`,
  `1 from '/etc/passwd'`,
  `current_setting('temp_directory')`,
  `CURRENT_SETTING('temp_directory')`,
  `list_transform([1], x -> current_setting('memory_limit'))`,
  `main.current_setting('temp_directory')`,
  `getvariable('x')`,
  'current_query()',
  'version()',
  `write_log('x')`,
  'sleep_ms(1000)',
  'pg_sleep(10)',
  `nextval('s')`,
  'setseed(0.1)',
  'current_database()',
  `query('select 1')`,
  'row_number() over ()',
  'sum(id)',
  '?',
  '*',
  'columns(*)',
]

describe.each(['expr', 'check'])('an expression of a figura, as %s, is refused', (part) => {
  test.each(EXPRESSIONS)('%s', async (text) => {
    expect(await refusal(part, text)).toBeOneOf(['figura', 'expression_wrong'])
  })
})

test('an expression over a row is not', async () => {
  const texts = [`'a' || id`, `list_transform([id], x -> x + 1)[1]`, 'today()', `regexp_extract('ab', 'a')`]
  for (const text of texts) expect(await refusal('expr', text)).toBe('')
  expect(await refusal('check', `id > 0 and current_date > date '2020-01-01'`)).toBe('')
})

/** Who refuses it: the reader of the figura, or DuckDB's own reading of the expression. */
async function refusal(part: string, text: string): Promise<string> {
  const parsed = parseFigura(
    'coisas',
    `description: a\ntable: public.coisas\nkey: [id]\ncolumns:\n  id: { type: bigint }\n` +
      `  nome: { type: text, ${part}: ${JSON.stringify(text)} }\nsources: ['s3://balde/']\n`,
  )
  if ('errors' in parsed) return 'figura'
  const file = ['id', 'nome'].map((name) => ({ name, type: 'BIGINT' }))
  try {
    await readExpressions(duckdb, parsed.figura, file)
    return ''
  } catch (error) {
    return error instanceof BulkError ? error.code : String(error)
  }
}
