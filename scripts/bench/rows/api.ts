import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '../../../src/db/migrate.ts'
import { freePort, startChild, untilReady } from '../../child.ts'
import { startService } from '../../service.ts'
import { figuraYaml, mainData } from '../data.ts'
import { figures, type Row, row, worst } from '../figures.ts'
import { answersPerSecond } from '../http-load.ts'
import { submit } from '../jobs.ts'
import { limitOf } from '../limit.ts'
import { BUCKET, type Rig, writeFigura } from '../rig.ts'
import { countUsage, type Group, sumUsage, type Usage } from '../usage.ts'

const CONNECTIONS = 64
const TARGET = 0.7
const FIGURA = 'aside'
/** How long each side is asked in one run, in milliseconds. */
const RUN_MS = { full: 3000, quick: 1000 }
/** Jobs whose status is asked for in turns. */
const JOBS = 256

type Side = { name: string; port: number; pid: number; ids: string[] }

/** Row 9: the API alone, against bare routes that do the same to the database. Nobody works on what is sent. */
export async function apiRows(rig: Rig): Promise<Row[]> {
  await rig.stopService()
  const sides = [await startOurs(rig), await startBare(rig)] as const
  const put: Ask = { name: 'PUT', status: 202, texts: () => [putText()] }
  const get: Ask = { name: 'status', status: 200, texts: ({ ids }) => ids.map(getText) }
  const parts = [await inTurns(rig, put, sides), await inTurns(rig, get, sides)]
  const name = `API alone, without a look at the file, ${CONNECTIONS} connections (the worse of both)`
  const reference = 'a bare Elysia route with the same INSERT or SELECT and the same pool'
  return [row(9, { ...worst(parts), name }, { parts, details: { reference, connections: CONNECTIONS } })]
}

type Ask = { name: string; status: number; texts(side: Side): string[] }

async function inTurns(
  rig: Rig,
  ask: Ask,
  [ours, bare]: readonly [Side, Side],
): Promise<Row['parts'][number]> {
  const { runs, quick } = rig.options
  const ms = quick ? RUN_MS.quick : RUN_MS.full
  const per = (side: Side, forMs: number) =>
    answersPerSecond({
      port: side.port,
      texts: ask.texts(side),
      status: ask.status,
      connections: CONNECTIONS,
      ms: forMs,
    })
  for (const side of [ours, bare]) await per(side, ms / 2)
  const found = { ours: [] as number[], reference: [] as number[] }
  const usages: (Usage | undefined)[] = []
  for (let run = 1; run <= runs; run++) {
    const end = countUsage(groupsFor(rig, ours))
    found.ours.push(await per(ours, ms))
    usages.push(end(0))
    found.reference.push(await per(bare, ms))
    const [a, b] = [found.ours.at(-1), found.reference.at(-1)]
    rig.say(`API, ${ask.name}, run ${run}: ours ${a?.toFixed(0)}/s, bare route ${b?.toFixed(0)}/s`)
  }
  const own = figures({ name: ask.name, unit: '/s', target: TARGET, atLeast: true }, found)
  return { ...own, limit: limitOf(sumUsage(usages)) }
}

function groupsFor(rig: Rig, { name, pid }: Side): Group[] {
  return [...rig.groups().filter((group) => group.pids.length > 0), { name, pids: [pid] }]
}

/** A database and a stream of its own, so that no worker ever finds these jobs. */
async function startOurs(rig: Rig): Promise<Side> {
  writeFigura(rig, FIGURA, figuraYaml(mainData(FIGURA, 1, 0), BUCKET))
  const url = await ownDatabase(rig, 'bench_api')
  const embedded = { ...rig.embedded, postgres: { ...rig.embedded.postgres, url } }
  // no worker ends these jobs
  const queue = { QUEUE_MAX_JOBS: String(1e9) }
  const env = { ROLE: 'api', PREFLIGHT_MS: '0', NATS_STREAM: 'BENCH_API', FIGURAS_DIR: rig.figuras, ...queue }
  const dir = join(rig.dir, 'api')
  mkdirSync(dir)
  const service = await startService(embedded, { dir, port: await freePort(), threads: 1, env })
  rig.undo(() => service.stop())
  return sideOf('API', Number(new URL(service.url).port), service.pid)
}

async function startBare(rig: Rig): Promise<Side> {
  const url = await ownDatabase(rig, 'bench_bare')
  await migrate(url)
  const port = await freePort()
  const logFile = join(rig.dir, 'bare.log')
  const child = startChild({
    command: [process.execPath, join(import.meta.dir, '../bare-api.ts')],
    signal: 'TERM',
    env: { ...process.env, DATABASE_URL: url, NATS_URL: rig.embedded.nats.url, PORT: String(port) },
    logFile,
  })
  rig.undo(() => child.stop())
  const answers = () =>
    fetch(`http://127.0.0.1:${port}`).then(
      () => true,
      () => false,
    )
  await untilReady('The bare API', child, logFile, answers)
  return sideOf('bare route', port, child.pid)
}

async function sideOf(name: string, port: number, pid: number): Promise<Side> {
  const api = `http://127.0.0.1:${port}`
  const ids: string[] = []
  for (let at = 0; at < JOBS; at++) ids.push((await submit(api, FIGURA, fileUrl())).id)
  return { name, port, pid, ids }
}

async function ownDatabase({ sql, embedded }: Rig, name: string): Promise<string> {
  await sql`create database ${sql(name)}`
  const url = new URL(embedded.postgres.url)
  url.pathname = `/${name}`
  return url.href
}

const fileUrl = () => `s3://${BUCKET}/${FIGURA}/file.parquet`

function putText(): string {
  const body = JSON.stringify({ url: fileUrl() })
  const head = ['Host: 127.0.0.1', 'Content-Type: application/json', `Content-Length: ${body.length}`]
  return `PUT /${FIGURA}/_bulk HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${body}`
}

function getText(id: string): string {
  return `GET /${FIGURA}/_bulk/status/${id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
}
