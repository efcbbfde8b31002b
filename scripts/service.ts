import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, startChild, untilReady } from './child.ts'
import type { Embedded } from './embedded.ts'

export type Service = Child & { url: string; threads: number }

type ServiceOptions = {
  /** Holds the log of the service and, while they are read, chunks of files. */
  dir: string
  port: number
  threads: number
  /** Further variables of the service, or others in place of ours. */
  env?: Record<string, string | undefined>
}

/**
 * Starts the service beside the embedded servers, as `bun run start` would, and waits until it is ready.
 * Its output goes to `<dir>/service.log`.
 */
export async function startService(
  { postgres, nats, bucket }: Embedded,
  { dir, port, threads, env }: ServiceOptions,
): Promise<Service> {
  const logFile = serviceLog(dir)
  const child = startChild({
    command: [process.execPath, join(import.meta.dir, '../src/main.ts')],
    signal: 'TERM',
    logFile,
    env: {
      // nothing else of ours: an AWS_SESSION_TOKEN or a NATS_STREAM is meant for other servers
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TMPDIR: process.env.TMPDIR,
      NO_PROXY: '127.0.0.1,localhost',
      ROLE: 'all',
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: postgres.url,
      NATS_URL: nats.url,
      S3_ENDPOINT: bucket.endpoint,
      S3_REGION: bucket.region,
      S3_ACCESS_KEY_ID: bucket.accessKeyId,
      S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
      SECRET_KEY: secretKeyOf(dir),
      FIGURAS_DIR: join(import.meta.dir, '../figuras'),
      WORK_DIR: join(dir, 'work'),
      WORKER_THREADS: String(threads),
      ALLOW_LOOPBACK_SOURCES: 'true',
      AUTH: 'off',
      SOURCES: '*',
      ...env,
    },
  })
  const url = `http://127.0.0.1:${port}`
  await untilReady('The service', child, logFile, () => isReady(url))
  return { ...child, url, threads }
}

/** Kept with the data, so that a service that is started anew opens what the one before it has sealed. */
function secretKeyOf(dir: string): string {
  const file = join(dir, 'secret.key')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

/** Where startService() has the service write. */
export function serviceLog(dir: string): string {
  return join(dir, 'service.log')
}

/** Each look at a service that is not ready yet is a line of its log, so they are not taken all the time. */
async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined)
  if (answer && !answer.ok) await Bun.sleep(100)
  return answer?.ok ?? false
}
