import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OnAccepted, Preflight } from '../../src/api/accept.ts'
import { createApp } from '../../src/api/app.ts'
import { anybody, keyHolders } from '../../src/api/callers.ts'
import type { Readiness } from '../../src/api/health.ts'
import type { LifeDependencies } from '../../src/api/life.ts'
import type { Rate } from '../../src/api/rate.ts'
import type { QueueLimits } from '../../src/api/room.ts'
import { openPostgres, type Sql } from '../../src/db/postgres.ts'
import { openFiguras } from '../../src/figura/load.ts'
import { createLog } from '../../src/log.ts'
import { listFiles } from '../../src/source/list.ts'
import { freshDatabase, freshFolder, servers } from '../support/servers.ts'
import { checkAnswer } from './contract.ts'

export const BODY_BYTES = 64 * 1024
export const BODY_MS = 1000

export type Answer = {
  status: number
  headers: Headers
  text: string
  body: Record<string, unknown>
}

export type Api = AsyncDisposable & {
  app: ReturnType<typeof createApp>
  sql: Sql
  /** Jobs that the queue was told of. */
  told: Parameters<OnAccepted>[0][]
  /** Jobs that were ended from outside. */
  ended: Parameters<LifeDependencies['ended']>[0][]
  /** Figuras that were resumed. */
  resumed: string[]
  /** What is done when the queue is told. */
  onAccepted: OnAccepted
  /** The look at the files; nothing is against them. */
  preflight: Preflight
  /** Lines of the log. */
  lines: Record<string, unknown>[]
  ready: Awaited<ReturnType<Readiness>>
  /** Asks in process; every answer is checked against the API's own documentation. */
  ask(path: string, init?: RequestInit): Promise<Answer>
  put(figura: string, body: unknown): Promise<Answer>
  /** Sends a file for a figura, and gives the id of its job. */
  send(figura: string, url?: string): Promise<string>
  /** Writes the file of a figura; null removes it. */
  figura(name: string, text?: string | null): void
  /** No jobs, no figuras but `coisas`, nothing told. */
  reset(): Promise<void>
}

/** A figura whose files come from s3://arquivos/<name>/. */
export function figuraText(name: string): string {
  return `description: Uma linha de ${name}
table: dados.${name}
key: [id]
columns:
  id: { type: bigint }
  nome: { type: varchar(40), required: true, from: name }
  preco: { type: 'numeric(10,2)' }
sources: ['s3://arquivos/${name}/', 'https://example.com/']
`
}

/** `rate`: callers need keys, each with that rate. */
type ApiOptions = { databaseUrl?: string; rate?: Rate; queue?: QueueLimits }

/** The API as main.ts makes it, on a database and a folder of figuras of its own. */
export async function startApi(options: ApiOptions = {}): Promise<Api> {
  const database = await freshDatabase()
  const folder = freshFolder()
  const sql = openPostgres(options.databaseUrl ?? database.url, { max: 4, name: 'test api' })
  const lines: Api['lines'] = []
  const { endpoint, region, ...credentials } = servers.s3
  const s3 = {
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { ...credentials, sessionToken: undefined },
  }
  const figuras = openFiguras(folder.path, ['*'])
  const app = createApp({
    sql,
    figuras,
    callers: options.rate ? keyHolders(sql, figuras, options.rate) : anybody(figuras),
    allowLoopback: false,
    secretKey: SECRET_KEY,
    accepted: (job) => api.onAccepted(job),
    readiness: async () => api.ready,
    log: createLog({}, (line) => lines.push(JSON.parse(line))),
    body: { bytes: BODY_BYTES, ms: BODY_MS },
    queue: options.queue ?? { perFigura: 1000, perKey: 1000 },
    rejectsDays: 30,
    node: 'test',
    ended: (job) => void api.ended.push(job),
    resumed: (figura) => void api.resumed.push(figura),
    idempotencyMs: 86_400_000,
    list: (pattern) => listFiles(pattern, { s3 }),
    preflight: (sent) => api.preflight(sent),
  })
  const api: Api = {
    app,
    sql,
    told: [],
    ended: [],
    resumed: [],
    onAccepted: (job) => void api.told.push(job),
    preflight: async () => {},
    lines,
    ready: { ready: true, checks: { postgres: 'ok' } },
    ask: (path, init) => ask(app, path, init),
    put: (figura, body) => ask(app, `/${figura}/_bulk`, { method: 'PUT', body: JSON.stringify(body) }),
    send: async (figura, url = `s3://arquivos/${figura}/a.parquet`) => {
      const { status, body } = await api.put(figura, { url })
      if (status !== 202) throw new Error(JSON.stringify(body))
      return String(body.id)
    },
    figura: (name, text = figuraText(name)) => {
      const path = join(folder.path, `${name}.yaml`)
      if (text === null) rmSync(path)
      else writeFileSync(path, text)
    },
    reset: async () => {
      await sql.unsafe('truncate bulk.contract, bulk.pause cascade')
      rmSync(folder.path, { recursive: true })
      mkdirSync(folder.path)
      api.figura('coisas')
      api.told.length = 0
      api.ended.length = 0
      api.resumed.length = 0
      lines.length = 0
      api.onAccepted = (job) => void api.told.push(job)
      api.preflight = async () => {}
    },
    [Symbol.asyncDispose]: async () => {
      await app.server?.stop(true)
      await sql.end({ timeout: 5 })
      folder[Symbol.dispose]()
      await database[Symbol.asyncDispose]()
    },
  }
  return api
}

/** What the API seals with. */
export const SECRET_KEY = '00'.repeat(32)

async function ask(app: Api['app'], path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await app.handle(new Request(`http://localhost${path}`, init))
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const body = /[/+]json/.test(type) && text !== '' ? JSON.parse(text) : {}
  const answer = { status: response.status, headers: response.headers, text, body }
  const document = await app.handle(new Request('http://localhost/docs/json'))
  checkAnswer(JSON.parse(await document.text()), { method: init.method ?? 'GET', path }, answer)
  return answer
}
