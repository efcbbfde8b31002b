import { expect, test } from 'bun:test'
import { existsSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import { startEmbedded } from '../../scripts/embedded.ts'
import { startPostgres } from '../../scripts/postgres.ts'
import { freshFolder } from '../support/servers.ts'

test('data outlive a stop', async () => {
  using folder = freshFolder()
  const first = await startEmbedded({ dir: folder.path, persistent: true })
  await query(first.postgres.url, 'create table kept as select 7 as value')
  await first.stop()
  const second = await startEmbedded({ dir: folder.path, persistent: true })
  expect(await query(second.postgres.url, 'select value from kept')).toEqual([{ value: 7 }])
  await second.stop()
})

test('when one server does not start, the others are stopped again', async () => {
  using folder = freshFolder()
  const { port, close } = await takenPort()
  const starting = startEmbedded({ dir: folder.path, ports: { nats: port }, persistent: false })
  const error = await starting.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(AggregateError)
  expect(String((error as AggregateError).errors[0])).toContain('nats-server ended with code 1')
  expect(existsSync(join(folder.path, 'postgres/data/PG_VERSION'))).toBe(true)
  expect(existsSync(join(folder.path, 'postgres/data/postmaster.pid'))).toBe(false)
  close()
})

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1 })
  const rows = await sql.unsafe(text)
  await sql.end()
  return [...rows]
}

function takenPort(): Promise<{ port: number; close(): void }> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address ? address.port : 0,
        close: () => server.close(),
      })
    })
  })
}

test('a PostgreSQL that is not to last leaves nothing behind, even where its data had to stand elsewhere', async () => {
  using folder = freshFolder() // for its owner alone: as root, the data have to stand elsewhere
  const server = await startPostgres({ dir: folder.path, durable: false })
  const link = join(folder.path, 'elsewhere')
  const elsewhere = existsSync(link) ? readlinkSync(link) : undefined
  expect(elsewhere !== undefined).toBe(process.getuid?.() === 0)
  await server.stop()
  if (elsewhere) expect(existsSync(elsewhere)).toBe(false)
})
