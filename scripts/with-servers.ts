import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interruption, startChild } from './child.ts'
import { type Embedded, startEmbedded } from './embedded.ts'

/**
 * Runs a command of Bun against servers that live as long as it does, and removes all of it. `work` is called once it
 * has ended, before the folder goes.
 * @returns its exit code; undefined when somebody stopped it
 */
export async function withServers<T>(
  command: (dir: string) => string[],
  work: (code: number | undefined, dir: string) => T,
): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'bulk-test-'))
  const stopped = interruption()
  try {
    const embedded = await startEmbedded({ dir, persistent: false })
    try {
      const child = startChild({
        command: [process.execPath, ...command(dir)],
        signal: 'TERM',
        env: { ...process.env, ...environment(dir, embedded) },
      })
      const code = await Promise.race([child.exited, stopped.then(() => undefined)])
      if (code === undefined) await child.stop()
      return work(code, dir)
    } finally {
      await embedded.stop()
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function environment(dir: string, { postgres, nats, bucket }: Embedded): Record<string, string> {
  const files = join(dir, 'files')
  mkdirSync(files)
  return {
    TEST_DIR: files,
    TEST_DATABASE_URL: postgres.url,
    TEST_NATS_URL: nats.url,
    TEST_S3_ENDPOINT: bucket.endpoint,
    TEST_S3_REGION: bucket.region,
    TEST_S3_ACCESS_KEY_ID: bucket.accessKeyId,
    TEST_S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    // tests open DuckDB themselves, several at once: each running query holds a thread of Bun's native pool
    UV_THREADPOOL_SIZE: '32',
  }
}
