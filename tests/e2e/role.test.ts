import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { freshKey } from '../api/keys.ts'
import { type Rig, startRig } from '../support/rig.ts'
import { servers } from '../support/servers.ts'

const id = randomBytes(4).toString('hex')
const role = `servico_${id}`
const database = `papel_${id}`
const urlOf = (login: Partial<URL>) =>
  Object.assign(new URL(servers.databaseUrl), { pathname: `/${database}` }, login).href
const asAdmin = postgres(servers.databaseUrl, { max: 1, onnotice: () => {} })
const owner = postgres(urlOf({}), { max: 1, onnotice: () => {} })
const asRole = postgres(urlOf({ username: role, password: id }), { max: 1, onnotice: () => {} })
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
    env: { AUTH: 'keys', DIRECT_ROWS: '5000', MERGE_PART_ROWS: '5000', CHUNK_ROWS: '8192' },
  })
  rig.service.headers = (await freshKey(owner, { '*': ['submit', 'read'] })).headers
  for (const name of ['coisas', 'novas']) {
    rig.writeFigura(name, '  id: { type: bigint }\n  nome: { type: text }', rig.bucket.url(''))
    const path = join(rig.figuras, `${name}.yaml`)
    const text = await Bun.file(path).text()
    await Bun.write(
      path,
      `${text.replace('public.', 'cadastro.')}load: { mode: merge, allow: [replace, delete] }\n`,
    )
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

  test('cannot make a table where it was not given the right to, and says so', async () => {
    const ended = await rig.send('novas', 'd', 'select 1::bigint as id')
    expect(ended.status).toBe('erro')
    expect(JSON.stringify(ended.error)).toContain('permission denied')
  })
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

async function migrate(granted: string, databaseUrl = urlOf({})): Promise<{ code: number; said: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, '../../src/migrate.ts'), granted], {
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    stderr: 'inherit',
  })
  return { said: await child.stdout.text(), code: await child.exited }
}
