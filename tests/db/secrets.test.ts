import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { insertJob, saveContract } from '../../src/db/jobs.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { smallFigura } from '../support/figuras.ts'
import { freshDatabase, type FreshDatabase } from '../support/servers.ts'

let database: FreshDatabase
let sql: Sql
beforeAll(async () => {
  database = await freshDatabase()
  sql = openPostgres(database.url, { max: 1, name: 'test' })
  await saveContract(sql, { hash: 'h', figura: smallFigura('f') })
})
afterAll(async () => {
  await sql.end({ timeout: 5 })
  await database[Symbol.asyncDispose]()
})

describe('the end of a job', () => {
  test.each(['completo', 'erro', 'cancelado'])(
    '%s wipes its secret, and tells that there was one',
    async (status) => {
      const id = await accept('https://h/a', Buffer.from('sealed'))
      await sql`update bulk.job set status = 'processando' where id = ${id}`
      expect(await read(id)).toMatchObject({ secret: Buffer.from('sealed'), hadSecret: false })
      await sql`update bulk.job set status = ${status} where id = ${id}`
      expect(await read(id)).toEqual({ url: 'https://h/a', urls: null, secret: null, hadSecret: true })
    },
  )

  test('that never was committed wipes nothing', async () => {
    const id = await accept('https://h/a', Buffer.from('sealed'))
    await sql
      .begin(async (tx) => {
        await tx`update bulk.job set status = 'erro' where id = ${id}`
        throw new Error('no')
      })
      .catch(() => {})
    expect(await read(id)).toMatchObject({ secret: Buffer.from('sealed') })
  })

  test('without a secret leaves the addresses as they are', async () => {
    const id = await accept('s3://b/*.parquet', null, ['s3://b/a.parquet', 's3://b/b.parquet'])
    await sql`update bulk.job set status = 'completo' where id = ${id}`
    const urls = ['s3://b/a.parquet', 's3://b/b.parquet']
    expect(await read(id)).toEqual({ url: 's3://b/*.parquet', urls, secret: null, hadSecret: false })
  })

  test('strips the addresses of a job that was accepted before secrets were sealed', async () => {
    const id = await accept('https://h/a?canary', null, ['https://h/a?canary', 's3://b/k'])
    await sql`insert into bulk.file (job, no, url) values (${id}, 0, 'https://h/a?canary'), (${id}, 1, 's3://b/k')`
    await sql`update bulk.job set status = 'erro' where id = ${id}`
    expect(await read(id)).toEqual({
      url: 'https://h/a',
      urls: ['https://h/a', 's3://b/k'],
      secret: null,
      hadSecret: true,
    })
    const files = await sql`select url from bulk.file where job = ${id} order by no`
    expect(files.map(({ url }) => String(url))).toEqual(['https://h/a', 's3://b/k'])
  })
})

test('the migration strips the jobs that have ended, and leaves those that live', async () => {
  const [ended, live] = [await accept('https://h/a?canary', null), await accept('https://h/b?canary', null)]
  await sql`alter table bulk.job disable trigger job_wipe`
  await sql`update bulk.job set status = 'completo' where id = ${ended}`
  await sql`alter table bulk.job enable trigger job_wipe`
  const text = readFileSync(join(import.meta.dir, '../../src/db/migrations/0007_secrets.sql'), 'utf8')
  await sql.unsafe(text.slice(text.indexOf('update bulk.job set status')))
  expect(await read(ended)).toMatchObject({ url: 'https://h/a', hadSecret: true })
  expect(await read(live)).toMatchObject({ url: 'https://h/b?canary', hadSecret: false })
})

async function accept(url: string, secret: Uint8Array | null, urls: string[] | null = null): Promise<string> {
  const id = Bun.randomUUIDv7()
  await insertJob(sql, { id, figura: 'f', contract: 'h', url, urls, sha256: null, secret })
  return id
}

async function read(id: string) {
  const [row] = await sql`select url, urls, secret, had_secret from bulk.job where id = ${id}`
  return { ...row }
}
