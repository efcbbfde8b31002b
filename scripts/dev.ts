import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { createBucket } from './bucket.ts'
import { interruption } from './child.ts'
import { type Embedded, startEmbedded } from './embedded.ts'
import { type Service, serviceLog, startService } from './service.ts'

// The embedded servers and the service, up until Ctrl-C or until one of them ends. See ./scripts/dev.

const dir = join(import.meta.dir, '../.dev')
/** The first source of figuras/fornecedores.yaml. */
const BUCKET = 'exportacoes'
/** As long as the service may drain what it has begun. */
const DRAIN_MS = 30_000

const undos: (() => Promise<void>)[] = []
const interrupted = interruption()
try {
  await Promise.race([run(), interrupted])
} catch (error) {
  process.exitCode = 1
  console.error(`\n${error instanceof Error ? error.message : error}`)
  if (error instanceof AggregateError) for (const one of error.errors) console.error(String(one))
}
console.log('\nStopping ...')
for (const undo of undos.reverse()) await undo()
process.exit()

async function run(): Promise<never> {
  const ports = {
    api: await freeOf('PORT', 3000),
    postgres: await freeOf('PG_PORT', 5433),
    nats: await freeOf('NATS_PORT', 4223),
    bucket: await freeOf('S3_PORT', 4566),
  }
  const embedded = await started(startEmbedded({ dir, ports, persistent: true }), (one) => one.stop())
  await createBucket(embedded.bucket, BUCKET)
  const threads = numberOf('WORKER_THREADS', 2, 64)
  const service = await started(startService(embedded, { dir, port: ports.api, threads }), (one) =>
    one.stop(DRAIN_MS),
  )
  tell(embedded, service)
  return Promise.race([
    ended('The service', service.exited, serviceLog(dir)),
    ended('PostgreSQL', embedded.postgres.exited, join(dir, 'postgres/postgres.log')),
    ended('nats-server', embedded.nats.exited, join(dir, 'nats/nats.log')),
  ])
}

/** What is still starting when Ctrl-C comes, is stopped as soon as it is up. */
function started<T>(starting: Promise<T>, stop: (one: T) => Promise<void>): Promise<T> {
  undos.push(() => starting.then(stop, () => {}))
  return starting
}

async function ended(name: string, exited: Promise<number>, logFile: string): Promise<never> {
  const code = await exited
  throw new Error(`${name} ended by itself, with code ${code}. Its log: ${shown(logFile)}`)
}

/** Found out beforehand, so that the error names the variable and not a line of some log. */
async function freeOf(name: string, preset: number): Promise<number> {
  const port = numberOf(name, preset, 65535)
  await new Promise<void>((resolve, reject) => {
    const server = createServer().once('error', ({ message }) =>
      reject(
        new Error(
          `${name}: cannot listen on ${port} (${message}). Choose another port: ${name}=… ./scripts/dev`,
        ),
      ),
    )
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
  return port
}

function numberOf(name: string, preset: number, max: number): number {
  const value = Number(process.env[name] || preset)
  if (Number.isInteger(value) && value > 0 && value <= max) return value
  throw new Error(`${name}: found "${process.env[name]}", expected a whole number from 1 to ${max}`)
}

function tell({ postgres, nats, bucket }: Embedded, service: Service): void {
  const rows = {
    API: service.url,
    Docs: `${service.url}/docs`,
    PostgreSQL: postgres.url,
    NATS: nats.url,
    Bucket: `${bucket.endpoint}/${BUCKET} (s3://${BUCKET}/)`,
    Keys: `${bucket.accessKeyId} / ${bucket.secretAccessKey}, region ${bucket.region}`,
    Log: shown(serviceLog(dir)),
  }
  console.log('The service is up. Ctrl-C stops all of it; the data stay in .dev/.\n')
  for (const [name, value] of Object.entries(rows)) console.log(`  ${name.padEnd(12)}${value}`)
  console.log(`
For scripts/exporta.ts and the NATS CLI, in another shell:

  . .cache/env                          # puts Bun ${Bun.version} on the PATH
  export NATS_URL=${nats.url} S3_ENDPOINT=${bucket.endpoint}
  export S3_ACCESS_KEY_ID=${bucket.accessKeyId} S3_SECRET_ACCESS_KEY=${bucket.secretAccessKey}`)
}

function shown(path: string): string {
  return relative(process.cwd(), path)
}
