import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { SCOPES } from '../../src/key.ts'
import { freshKey } from '../api/keys.ts'
import { type Rig, startRig } from '../support/rig.ts'
import { servers } from '../support/servers.ts'
import { type Answer, until } from '../support/service.ts'

const id = randomBytes(4).toString('hex')
const role = `servico_${id}`
const database = `papel_${id}`
const urlOf = (login: Partial<URL>) =>
  Object.assign(new URL(servers.databaseUrl), { pathname: `/${database}` }, login).href
const asAdmin = postgres(servers.databaseUrl, { max: 1, onnotice: () => {} })
const owner = postgres(urlOf({}), { max: 1, onnotice: () => {} })
const asRole = postgres(urlOf({ username: role, password: id }), { max: 1, onnotice: () => {} })
/** Where nothing listens. */
const NOBODY = 'http://127.0.0.1:1/'
let rig: Rig

beforeAll(async () => {
  await asAdmin.unsafe(`create database ${database}`)
  await asAdmin.unsafe(`create role ${role} login password '${id}'`)
  await owner`create schema cadastro`
  await owner`create table cadastro.coisas (id bigint primary key, nome text)`
  await owner.unsafe(`grant usage on schema cadastro to ${role}`)
  await owner.unsafe(`grant select, insert, update, delete on cadastro.coisas to ${role}`)
  for (let times = 0; times < 2; times++) await migrate(role)
  rig = await startRig({
    databaseUrl: urlOf({ username: role, password: id }),
    env: {
      AUTH: 'keys',
      DIRECT_ROWS: '5000',
      MERGE_PART_ROWS: '5000',
      CHUNK_ROWS: '8192',
      SOURCE_PATIENCE_SECONDS: '600',
    },
  })
  rig.service.headers = (await freshKey(owner, { '*': [...SCOPES] })).headers
  for (const name of ['coisas', 'novas', 'sobras']) {
    rig.writeFigura(name, '  id: { type: bigint }\n  nome: { type: text }', rig.bucket.url(''))
    const path = join(rig.figuras, `${name}.yaml`)
    const text = (await Bun.file(path).text())
      .replace(/public\.(sobras)?/, (_, of) => `cadastro.${of ? 'coisas' : ''}`)
      .replace(/]\n$/, `, '${NOBODY}']\n`)
    const rejects = name === 'sobras' ? 'rejects: { max_rows: 5 }\n' : ''
    await Bun.write(path, `${text}${rejects}load: { mode: merge, allow: [replace, delete] }\n`)
  }
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await Promise.all([owner.end({ timeout: 5 }), asRole.end({ timeout: 5 })])
  await asAdmin.unsafe(`drop database ${database} with (force)`)
  await asAdmin.unsafe(`drop role ${role}`)
  await asAdmin.end({ timeout: 5 })
})

describe('a service under a role that owns nothing but its stages', () => {
  test('loads a small file, and a large one by way of a stage and several connections', async () => {
    const small = await rig.send('coisas', 'a', 'select i as id, i::varchar as nome from range(100) t(i)')
    expect(small).toMatchObject({ status: 'completo', stats: { inserted: 100 } })
    const large = await rig.send('coisas', 'b', `select i as id, 'x' || i as nome from range(40000) t(i)`)
    expect(large).toMatchObject({ status: 'completo', stats: { inserted: 39_900, updated: 100 } })
  })

  test('replaces and deletes', async () => {
    const file = await rig.putFile('c', `select i as id, 'y' as nome from range(30000) t(i)`)
    const replaced = await rig.service.load('coisas', file.url, { mode: 'replace' })
    expect(replaced).toMatchObject({ status: 'completo', stats: { updated: 30_000, removed: 10_000 } })
    const deleted = await rig.service.load('coisas', file.url, { mode: 'delete' })
    expect(deleted).toMatchObject({ status: 'completo', stats: { deleted: 30_000 } })
    expect(await owner`select count(*)::int as rows from cadastro.coisas`).toMatchObject([{ rows: 0 }])
  })

  test('answers a request that is sent again as it did the first time', async () => {
    const { url } = await rig.putFile('e', `select 1::bigint as id, 'e' as nome`)
    const send = () => ask('PUT', '/coisas/_bulk', { body: { url }, headers: { 'idempotency-key': 'e' } })
    const [first, second] = [await send(), await send()]
    expect([first.status, second.status, second.headers.get('idempotency-replayed')]).toEqual([
      202,
      202,
      'true',
    ])
    expect(second.body).toEqual(first.body)
    await rig.service.ended(String(first.body.status_url))
  })

  test('holds jobs back, cancels them, does them again, and lets them go on', async () => {
    expect((await ask('POST', '/coisas/_bulk/pause')).body.paused).toMatchObject({ by: 'test' })
    const { url } = await rig.putFile('f', `select 2::bigint as id, 'f' as nome`)
    const { body: held } = await rig.service.put('/coisas/_bulk', { url })
    expect((await rig.service.get(String(held.status_url))).body).toMatchObject({
      waiting: { reason: 'paused' },
    })
    const cancelled = await ask('DELETE', `/coisas/_bulk/${held.id}`)
    expect(cancelled.body).toMatchObject({ status: 'cancelado' })
    const again = await ask('POST', `/coisas/_bulk/${held.id}/retry`)
    expect([again.status, (await ask('POST', '/coisas/_bulk/resume')).body.paused]).toEqual([202, null])
    const ended = await rig.service.ended(String(again.body.status_url))
    expect(ended).toMatchObject({ status: 'completo', retry_of: held.id, stats: { read: 1 } })
  })

  test('keeps rows that are left out, and shows them', async () => {
    await rig.bucket.put('g.csv', new TextEncoder().encode('id,nome\n3,g\nx,h\n'))
    const { id, stats } = await rig.service.load('sobras', rig.bucket.url('g.csv'))
    expect(stats).toMatchObject({ read: 2, rejected: 1 })
    const { body } = await rig.service.get(`/sobras/_bulk/${id}/rejects`)
    expect(body.rejects).toMatchObject([{ row: 2, column: 'id', record: { id: 'x', nome: 'h' } }])
  })

  test('gives up a job whose time is over, wipes its secrets, and tells of it', async () => {
    const urls = [`${NOBODY}a?assinatura=1`, `${NOBODY}b?assinatura=2`]
    const { body } = await rig.service.put('/coisas/_bulk', { urls })
    await until('the job waits for its source', async () => {
      const { body: job } = await rig.service.get(String(body.status_url))
      return job.waiting ?? undefined
    })
    await owner`update bulk.job set deadline_at = now() where id = ${String(body.id)}`
    const { error } = await rig.service.ended(String(body.status_url))
    expect(error).toMatchObject({ code: 'deadline_exceeded' })
    const [row] = await until('the dead letter is sent', async () => {
      const rows = await owner`
        select secret, had_secret, dead_letter, job::text like '%assinatura%' as seen from bulk.job
        where id = ${String(body.id)} and dead_letter = 'sent'`
      return rows.length > 0 ? rows : undefined
    })
    expect(row).toEqual({ secret: null, had_secret: true, dead_letter: 'sent', seen: false })
  })

  test('clears away what a crash has left', async () => {
    const [job, stage] = [crypto.randomUUID(), 'bulk_stage.j_' + '0'.repeat(32) + '_1']
    // what another role has made it may not drop
    const foreign = stage.replace(/_1$/, '_2')
    await owner.unsafe(`create unlogged table ${foreign} (id bigint)`)
    await owner`insert into bulk.chunk (job, stage, no, kind, row_start, row_end) values (${job}, 1, 1, 'rows', 0, 1)`
    await asRole.unsafe(`create unlogged table ${stage} (id bigint)`)
    await until('the stage and its marks are gone', async () => {
      const [left] = await owner`
        select to_regclass(${stage}) is null and not exists (select from bulk.chunk where job = ${job}) as none`
      return left?.none ? true : undefined
    })
    expect(await owner`select to_regclass(${foreign}) is not null as there`).toMatchObject([{ there: true }])
    const told = rig.service.lines.map(({ message }) => String(message))
    expect(told.filter((message) => /cannot clear away|is not dropped/.test(message))).toEqual([])
  })

  test('deletes what is older than it is kept', async () => {
    await owner`update bulk.reject set at = now() - interval '31 days'`
    await until('the rejects are gone', async () => none('bulk.reject'))
    await owner`update bulk.idempotency set at = now() - interval '25 hours'`
    await until('the keys of requests are gone', async () => none('bulk.idempotency'))
    await owner`update bulk.contract set created_at = now() - interval '2 days'`
    await owner`update bulk.job set finished_at = now() - interval '91 days'`
    for (const table of ['bulk.job', 'bulk.job_log', 'bulk.file', 'bulk.contract'])
      await until(`${table} is empty`, async () => none(table))
  })

  test('cannot make a table where it was not given the right to, and says so', async () => {
    const ended = await rig.send('novas', 'd', 'select 1::bigint as id')
    expect(ended.status).toBe('erro')
    expect(JSON.stringify(ended.error)).toContain('permission denied')
  })
})

test('the role may use whatever the migrations have made, and no table beyond what is needed', async () => {
  const tables = await owner<{ name: string; rights: string }[]>`
    select relname as name, (
      select string_agg(one.name, ' ') from unnest(string_to_array('select insert update delete truncate trigger', ' '))
        as one (name) where has_table_privilege(${role}, pg_class.oid, one.name)
    ) as rights
    from pg_class where relnamespace = 'bulk'::regnamespace and relkind in ('r', 'v') order by relname`
  const read = ['api_key', 'migration']
  expect(tables.filter(({ name }) => read.includes(name)).map(({ rights }) => rights)).toEqual([
    'select',
    'select',
  ])
  for (const { name, rights } of tables)
    if (!read.includes(name)) expect([name, rights]).toEqual([name, 'select insert update delete'])
  const closed = await owner`
    select proname from pg_proc
    where pronamespace = 'bulk'::regnamespace and not has_function_privilege(${role}, oid, 'execute')`
  expect([tables.length > 8, closed.length]).toEqual([true, 0])
})

test.each([
  'drop table bulk.job',
  'alter table bulk.job add column x int',
  'alter table bulk.job disable trigger job_wipe',
  'create table bulk.x ()',
  'create schema x',
  'create table cadastro.x ()',
  'truncate cadastro.coisas',
  `insert into bulk.migration (name) values ('x')`,
  `insert into bulk.api_key (id, name, hash, grants) values ('x', 'x', sha256('x'), '{"*": ["submit"]}')`,
  `update bulk.api_key set revoked_at = null`,
  'delete from bulk.api_key',
  'select rolpassword from pg_authid',
  `copy cadastro.coisas to program 'true'`,
  `select pg_read_file('/etc/passwd')`,
])('the role may not: %s', async (statement) => {
  await expect(asRole.unsafe(statement)).rejects.toThrow(/permission denied|must be owner/)
})

test('migrating needs the address of the database, and fails where it may not', async () => {
  expect((await migrate(role, '')).said).toContain('DATABASE_URL: found nothing')
  const other = urlOf({ username: role, password: id, pathname: '/postgres' })
  expect(await migrate(role, other)).toMatchObject({ code: 1 })
})

async function ask(
  method: string,
  path: string,
  { body, headers }: { body?: object; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${rig.service.url}${path}`, {
    method,
    headers: { ...rig.service.headers, ...headers },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) }
}

async function none(table: string): Promise<true | undefined> {
  return (await owner.unsafe(`select from ${table} limit 1`)).length === 0 ? true : undefined
}

async function migrate(granted: string, databaseUrl = urlOf({})): Promise<{ code: number; said: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, '../../src/migrate.ts'), granted], {
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    stderr: 'inherit',
  })
  return { said: await child.stdout.text(), code: await child.exited }
}
