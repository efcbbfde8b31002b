import { mkdirSync } from 'node:fs'
import { startFauxqs } from 'fauxqs'

export type Bucket = {
  endpoint: string
  port: number
  region: string
  accessKeyId: string
  secretAccessKey: string
  stop(): Promise<void>
}

/** Starts an S3 endpoint on 127.0.0.1 that keeps its objects as files in `dir`. */
export async function startBucket({ dir, port }: { dir: string; port?: number }): Promise<Bucket> {
  mkdirSync(dir, { recursive: true })
  const server = await startFauxqs({ host: '127.0.0.1', port: port ?? 0, logger: false, s3StorageDir: dir })
  return {
    endpoint: `http://127.0.0.1:${server.port}`,
    port: server.port,
    region: 'us-east-1',
    accessKeyId: 'embedded',
    secretAccessKey: 'embedded-secret',
    stop: () => server.stop(),
  }
}
