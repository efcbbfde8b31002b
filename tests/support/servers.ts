import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import postgres from 'postgres'
import { migrate } from '../../src/db/migrate.ts'

/** The servers that ./scripts/test has started; every test file shares them and takes fresh parts of them. */
export const servers = {
  databaseUrl: given('TEST_DATABASE_URL'),
  natsUrl: given('TEST_NATS_URL'),
  s3: {
    endpoint: given('TEST_S3_ENDPOINT'),
    region: given('TEST_S3_REGION'),
    accessKeyId: given('TEST_S3_ACCESS_KEY_ID'),
    secretAccessKey: given('TEST_S3_SECRET_ACCESS_KEY'),
  },
  dir: given('TEST_DIR'),
}

export type FreshDatabase = AsyncDisposable & { url: string; sql: postgres.Sql }

/** A migrated database of its own, with a client. `await using` ends the client and drops the database. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const name = `test_${randomName()}`
  await onServer(async (admin) => {
    const template = await migratedTemplate(admin)
    await admin`create database ${admin(name)} template ${admin(template)}`
  })
  const url = databaseUrl(name)
  const sql = postgres(url, { max: 4, onnotice: () => {} })
  return {
    url,
    sql,
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 5 })
      await onServer((admin) => admin`drop database if exists ${admin(name)} with (force)`)
    },
  }
}

/** A name that no other test uses, for NATS_STREAM. */
export function freshStream(): string {
  return `T_${randomName().toUpperCase()}`
}

export type FreshBucket = {
  name: string
  client: S3Client
  /** `s3://bucket/key` */
  url(key: string): string
  /** Stores bytes, or the file at a path. */
  put(key: string, content: Uint8Array | string | { file: string }): Promise<void>
  /** An http URL that anybody can GET for an hour. */
  presign(key: string): Promise<string>
}

/** A bucket of its own. */
export async function freshBucket(): Promise<FreshBucket> {
  const name = `test-${randomName()}`
  const { endpoint, region, ...credentials } = servers.s3
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: name }))
  return {
    name,
    client,
    url: (key) => `s3://${name}/${key}`,
    put: async (key, content) => {
      const body = typeof content === 'object' && 'file' in content ? createReadStream(content.file) : content
      // by parts, as a real exporter does: the endpoint takes no more than 11 MiB at once
      const params = { Bucket: name, Key: key, Body: typeof body === 'string' ? Buffer.from(body) : body }
      await new Upload({ client, params, partSize: 8 * 1024 * 1024, queueSize: 2 }).done()
    },
    presign: (key) =>
      getSignedUrl(client, new GetObjectCommand({ Bucket: name, Key: key }), { expiresIn: 3600 }),
  }
}

/** An empty folder; `using` removes it. What is left over goes with the folder of the run. */
export function freshFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(servers.dir, 'folder-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function given(name: string): string {
  const value = process.env[name]
  if (!value)
    throw new Error(`${name} is not set: tests run against servers that are started by ./scripts/test`)
  return value
}

function randomName(): string {
  return crypto.randomUUID().slice(0, 8)
}

function databaseUrl(name: string): string {
  const url = new URL(servers.databaseUrl)
  url.pathname = `/${name}`
  return url.href
}

async function onServer<T>(work: (admin: postgres.Sql) => Promise<T>): Promise<T> {
  const admin = postgres(servers.databaseUrl, { max: 1, onnotice: () => {} })
  try {
    return await work(admin)
  } finally {
    await admin.end({ timeout: 5 })
  }
}

/**
 * Made once a run, by whichever test comes first; named by what is in the migrations, so that one of another state is
 * never taken. It gets its name when it is done: a half-made one is not found.
 */
async function migratedTemplate(admin: postgres.Sql): Promise<string> {
  const template = `template_${migrationsHash()}`
  // connections: one (max: 1), so that lock, work and unlock are the same session
  await admin`select pg_advisory_lock(hashtext(${template}))`
  const found = await admin`select 1 from pg_database where datname = ${template}`
  if (found.length === 0) {
    const unfinished = `${template}_unfinished`
    await admin`drop database if exists ${admin(unfinished)} with (force)`
    await admin`create database ${admin(unfinished)}`
    await migrate(databaseUrl(unfinished))
    await admin`alter database ${admin(unfinished)} rename to ${admin(template)}`
  }
  await admin`select pg_advisory_unlock(hashtext(${template}))`
  return template
}

function migrationsHash(): string {
  const dir = join(import.meta.dir, '../../src/db/migrations')
  const hasher = new Bun.CryptoHasher('sha256')
  for (const file of readdirSync(dir).sort()) hasher.update(file).update(readFileSync(join(dir, file)))
  return hasher.digest('hex').slice(0, 16)
}
