import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { readKey } from '../../src/key.ts'
import { freshDatabase } from '../support/servers.ts'

const ROOT = join(import.meta.dir, '../..')

async function keys(databaseUrl: string | undefined, ...args: string[]) {
  const child = Bun.spawn([process.execPath, 'scripts/keys.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, said, code }
}

test('a key is made, listed and revoked', async () => {
  await using database = await freshDatabase()
  const grants = ['--grant', 'coisas:submit,read', '--grant', 'coisas:read,cancel', '--grant', '*:read']
  const made = await keys(database.url, 'create', '--name', 'Loja 7', ...grants, '--days', '90')
  expect([made.code, made.said]).toEqual([
    0,
    expect.stringContaining('Loja 7: coisas:submit,read,cancel *:read'),
  ])
  const { id = '', hash } = readKey(made.out.trim()) ?? {}
  const [row] =
    await database.sql`select *, expires_at - created_at = interval '90 days' as days from bulk.api_key`
  expect(row).toMatchObject({ id, hash, days: true, revoked_at: null })
  expect(row?.grants).toEqual({ coisas: ['submit', 'read', 'cancel'], '*': ['read'] })

  const endless = await keys(database.url, 'create', '--name', 'b', '--grant', '*:operate')
  expect([endless.code, readKey(endless.out.trim()) !== undefined]).toEqual([0, true])
  expect(await keys(database.url, 'revoke', id)).toMatchObject({ code: 0 })
  expect((await keys(database.url, 'revoke', id)).code).toBe(0)
  const { out } = await keys(database.url, 'list')
  const [first = '', second = '', ...more] = out.trim().split('\n')
  expect(more).toEqual([])
  expect(first).toMatch(
    new RegExp(`^${id}  revoked  made \\S+  until \\S+  \\*:read coisas:submit,read,cancel  Loja 7$`),
  )
  expect(second).toMatch(/^[0-9a-f]{16} {2}valid .* without end {2}\*:operate {2}b$/)
  expect(out).not.toContain(made.out.trim().slice(-43))
}, 60_000)

describe('a command that is not understood names what is wrong, and does nothing', () => {
  test.each([
    [[], 'bun run keys create'],
    [['make'], 'bun run keys create'],
    [['create', '--grant', 'a:read'], '--name: found nothing'],
    [['create', '--name', 'a'], '--grant: found nothing'],
    [['create', '--name', 'a', '--grant', 'coisas'], '--grant: found the scope ""'],
    [
      ['create', '--name', 'a', '--grant', 'coisas:write'],
      '--grant: found the scope "write", expected submit, read',
    ],
    [['create', '--name', 'a', '--grant', 'Coisas:read'], '--grant: found the figura "Coisas"'],
    [['create', '--name', 'a', '--grant', 'docs:read'], '--grant: found the figura "docs"'],
    [['create', '--name', 'a', '--grant', '*:read', '--days', '0'], '--days: found "0"'],
    [['create', '--name', 'a', '--gran', '*:read'], "Unknown option '--gran'"],
    [['revoke'], 'revoke: expected the id of one key'],
  ])('%p', async (args, said) => {
    const ended = await keys('postgres://nobody@127.0.0.1:1/none', ...args)
    expect([ended.code, ended.out, ended.said]).toEqual([2, '', expect.stringContaining(said)])
  })

  test('nor can it be done without a database, or for a key that is not there', async () => {
    expect(await keys(undefined, 'list')).toMatchObject({
      code: 1,
      said: expect.stringContaining('DATABASE_URL: found'),
    })
    await using database = await freshDatabase()
    const none = await keys(database.url, 'revoke', '0123456789abcdef')
    expect([none.code, none.said]).toEqual([1, expect.stringContaining('found no key 0123456789abcdef')])
  })
})
