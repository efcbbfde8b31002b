import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { guard } from '../../scripts/child.ts'
import { freshFolder, servers } from './servers.ts'

/** Of the services of a test process: what one has sealed the next one opens. */
const SECRET_KEY = randomBytes(32).toString('base64')

const ROOT = join(import.meta.dir, '../..')

export type Answer = { status: number; headers: Headers; body: Record<string, unknown> }

export type Service = AsyncDisposable & {
  url: string
  pid: number
  /** Lines of its log so far. */
  lines: Record<string, unknown>[]
  /** Sent with every request: where the service asks for keys, that of the test goes here. */
  headers: Record<string, string>
  /** What it wrote to standard error so far. */
  errors: string[]
  get(path: string): Promise<Answer>
  put(path: string, body: unknown): Promise<Answer>
  /** Follows a job until it has ended, and gives its last status. */
  ended(statusUrl: string): Promise<Record<string, unknown>>
  /** Sends a file's address and follows the job to its end. */
  load(figura: string, url: string, more?: Record<string, unknown>): Promise<Record<string, unknown>>
  /** Waits for a line of the log. */
  said(message: string): Promise<Record<string, unknown>>
  kill(): Promise<void>
  stop(): Promise<void>
}

/**
 * The service as a user starts it: src/main.ts as a process of its own, on a free port, against the test's servers.
 */
export async function startService(options: {
  databaseUrl: string
  stream: string
  natsUrl?: string
  figurasDir?: string
  env?: Record<string, string>
  /** What is said beside the log, such as the report of a crash, is not shown. */
  quiet?: boolean
}): Promise<Service> {
  const folder = freshFolder()
  const lines: Record<string, unknown>[] = []
  const child = Bun.spawn([process.execPath, 'src/main.ts'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: options.databaseUrl,
      NATS_URL: options.natsUrl ?? servers.natsUrl,
      NATS_STREAM: options.stream,
      S3_ENDPOINT: servers.s3.endpoint,
      S3_REGION: servers.s3.region,
      S3_ACCESS_KEY_ID: servers.s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: servers.s3.secretAccessKey,
      ALLOW_LOOPBACK_SOURCES: 'true',
      AUTH: 'off',
      SOURCES: '*',
      SECRET_KEY,
      FIGURAS_DIR: options.figurasDir ?? join(ROOT, 'figuras'),
      WORK_DIR: folder.path,
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_THREADS: '2',
      SWEEP_SECONDS: '1',
      // a source that lies for good is given up within the patience of a test
      SOURCE_PATIENCE_SECONDS: '5',
      // so that what a worker says of a bad file is seen; tests of the look before that set it
      PREFLIGHT_MS: '0',
      ...options.env,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    detached: true,
  })
  // when the test run is ended its servers go, and a service that drains would look for them for a long time
  const unguard = guard(-child.pid, 'KILL')
  void child.exited.then(unguard)
  const errors: string[] = []
  void collect(child.stdout, lines)
  void collectErrors(child.stderr, errors, options.quiet)

  const said = (message: string) =>
    until(`the service says "${message}"`, async () => {
      if (child.exitCode !== null) throw new Error(`the service ended: ${JSON.stringify(lines.slice(-5))}`)
      return lines.find((line) => line.message === message)
    })
  const url = `http://127.0.0.1:${(await said('listening')).port}`
  const request = async (path: string, init?: RequestInit): Promise<Answer> => {
    const headers = { ...service.headers, ...Object(init?.headers) }
    const response = await fetch(`${url}${path}`, { ...init, headers })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} }
  }
  const service: Service = {
    url,
    pid: child.pid,
    lines,
    headers: {},
    errors,
    said,
    get: (path) => request(path),
    put: (path, body) =>
      request(path, {
        method: 'PUT',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    ended: (statusUrl) =>
      until(`${statusUrl} has ended`, async () => {
        const { body } = await request(statusUrl)
        return ['completo', 'erro', 'cancelado'].includes(String(body.status)) ? body : undefined
      }),
    load: async (figura, fileUrl, more = {}) => {
      const accepted = await service.put(`/${figura}/_bulk`, { url: fileUrl, ...more })
      if (accepted.status !== 202) throw new Error(`not accepted: ${JSON.stringify(accepted.body)}`)
      return service.ended(String(accepted.body.status_url))
    },
    kill: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
    stop: async () => {
      child.kill('SIGTERM')
      await child.exited
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) await service.stop()
      folder[Symbol.dispose]()
    },
  }
  await until('the service is ready', async () =>
    (await service.get('/readyz')).status === 200 ? true : undefined,
  )
  return service
}

/** Asks again and again until there is an answer. @throws after a minute, naming what was waited for */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = 55_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  while (true) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await Bun.sleep(20)
  }
}

async function collectErrors(
  stream: ReadableStream<Uint8Array>,
  errors: string[],
  quiet = false,
): Promise<void> {
  for await (const bytes of stream) {
    errors.push(new TextDecoder().decode(bytes))
    if (!quiet) process.stderr.write(bytes)
  }
}

async function collect(stream: ReadableStream<Uint8Array>, lines: Record<string, unknown>[]): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      if (part.startsWith('{')) lines.push(JSON.parse(part))
      // SERVICE_LOG=1 ./scripts/test … shows what the service says while a test runs
      if (process.env.SERVICE_LOG) console.error(part)
    }
  }
}
