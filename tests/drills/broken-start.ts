import { join } from 'node:path'
import { freshFolder } from '../support/servers.ts'
import type { Canaries, Sinks } from './sinks.ts'

const ROOT = join(import.meta.dir, '../..')
/** Long enough for the processes to start, to be refused, and to say so. */
const WAIT_MS = 2500

type Given = { canaries: Canaries; databaseUrl: string; natsUrl: string; figuras: string }

/** Starts the service with what is wrong: secrets that are refused, or that are no values of their variables. */
export async function startBroken(
  { canaries, databaseUrl, natsUrl, figuras }: Given,
  sinks: Sinks,
): Promise<void> {
  const secret = canaries.token ?? ''
  const wrong = (url: string) => url.replace(/\/\/[^@/]*@|\/\//, `//postgres:${secret}@`)
  const environments: Record<string, string>[] = [
    { DATABASE_URL: wrong(databaseUrl) },
    { DATABASE_URL: `postgres//u:${secret}@h/d` },
    { DATABASE_URL: `postgres://u:${secret}@127.0.0.1:9/d` },
    { NATS_URL: wrong(natsUrl) },
    { NATS_URL: `nats://${secret}@127.0.0.1:9` },
    { NATS_URL: `http://${secret}` },
    { SECRET_KEY: secret },
    { S3_ENDPOINT: `https//${secret}`, S3_SECRET_ACCESS_KEY: secret },
    { S3_SECRET_ACCESS_KEY: secret },
    { SOURCES: `https://u:${secret}@h/`, PORT: 'x' },
  ]
  await Promise.all(
    environments.map(async (env) => {
      const folder = freshFolder()
      const child = Bun.spawn([process.execPath, 'src/main.ts'], {
        cwd: ROOT,
        env: {
          PATH: process.env.PATH,
          DATABASE_URL: databaseUrl,
          NATS_URL: natsUrl,
          FIGURAS_DIR: figuras,
          WORK_DIR: folder.path,
          HOST: '127.0.0.1',
          PORT: '0',
          WORKER_THREADS: '1',
          ...env,
        },
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const late = setTimeout(() => child.kill('SIGTERM'), WAIT_MS)
      const said = await Promise.all([child.stdout.text(), child.stderr.text()])
      clearTimeout(late)
      folder[Symbol.dispose]()
      sinks.look(`what is said when ${Object.keys(env).join(' and ')} is wrong`, said.join('\n'))
    }),
  )
}
