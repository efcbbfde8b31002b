import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freshDatabase, freshFolder, freshStream, servers } from '../support/servers.ts'
import { startService, until } from '../support/service.ts'

const ROOT = join(import.meta.dir, '../..')

describe('a start that fails says so in one line that names the variable, and leaves no process behind', () => {
  test('FIGURAS_DIR', async () => {
    expect(await failed({ FIGURAS_DIR: '/nowhere' })).toStartWith('FIGURAS_DIR: found no folder /nowhere')
  })

  test('PORT', async () => {
    using taken = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
    const port = String(taken.port)
    expect(await failed({ PORT: port })).toBe(`PORT: found ${port} in use, expected a free one`)
  })

  test('HOST', async () => {
    expect(await failed({ HOST: 'no-host.invalid' })).toStartWith('HOST: found no-host.invalid')
  })

  test('WORK_DIR', async () => {
    using folder = freshFolder()
    const file = join(folder.path, 'file')
    writeFileSync(file, '')
    expect(await failed({ WORK_DIR: file })).toStartWith(`WORK_DIR: found ${file}`)
  })
})

test('a worker that still waits for the database ends with its parent, however that ends', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    using folder = freshFolder()
    // nothing listens on port 1
    const child = start({
      ROLE: 'worker',
      WORK_DIR: folder.path,
      DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d',
    })
    const said = linesOf(child.stdout)
    const waiting = await until('the worker waits', async () =>
      said.lines.find((line) => line.message === 'waiting for the database'),
    )
    child.kill(signal)
    await child.exited
    await until('the worker is gone', async () => (isAlive(Number(waiting.pid)) ? undefined : true))
    await said.end
    expect(said.lines.filter((line) => line.message === 'waiting for the database')).toHaveLength(1)
  }
})

test('a body that never ends does not hold a stop, nor do two signals make two stops', async () => {
  await using database = await freshDatabase()
  const service = await startService({
    databaseUrl: database.url,
    stream: freshStream(),
    env: { ROLE: 'api' },
  })
  const { hostname, port } = new URL(service.url)
  const opened = Promise.withResolvers<void>()
  const client = await Bun.connect({
    hostname,
    port: Number(port),
    socket: { open: () => opened.resolve(), data: () => {}, error: () => {} },
  })
  await opened.promise
  client.write('PUT /fornecedores/_bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n')
  client.write('Content-Length: 1000\r\n\r\n{')
  // the service has read the first request when it has answered a later one
  await service.get('/livez')
  process.kill(service.pid, 'SIGTERM')
  await service.said('stopping')
  process.kill(service.pid, 'SIGINT')
  await until('the service has stopped', async () => service.lines.find((line) => line.message === 'stopped'))
  await until('it is gone', async () => (isAlive(service.pid) ? undefined : true))
  const messages = service.lines.map((line) => line.message)
  expect(messages).toContain('requests have not ended; their connections are closed')
  expect(messages.filter((message) => message === 'stopping')).toHaveLength(1)
  client.end()
  await service[Symbol.asyncDispose]()
})

function start(env: Record<string, string>) {
  return Bun.spawn([process.execPath, 'src/main.ts'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: servers.databaseUrl,
      NATS_URL: servers.natsUrl,
      HOST: '127.0.0.1',
      PORT: '0',
      ...env,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
}

/** The one line of a start that fails. Its output ends only when no worker holds it open any more. */
async function failed(env: Record<string, string>): Promise<string> {
  const child = start(env)
  const said = linesOf(child.stdout)
  await said.end
  expect(await child.exited).toBe(1)
  expect(said.lines).toHaveLength(1)
  return String(said.lines[0]?.message)
}

function linesOf(stream: ReadableStream<Uint8Array>) {
  const lines: Record<string, unknown>[] = []
  const read = async () => {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const bytes of stream) {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts.filter(Boolean).map((part) => JSON.parse(part)))
    }
  }
  return { lines, end: read() }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
