import { mkdirSync } from 'node:fs'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startFauxqs } from 'fauxqs'

export type Bucket = {
  endpoint: string
  port: number
  region: string
  accessKeyId: string
  secretAccessKey: string
  stop(): Promise<void>
}

/**
 * Starts an S3 endpoint on 127.0.0.1 that keeps its objects as files in `dir`. It takes any key and any signature:
 * what a bucket refuses cannot be tried on it. It takes 11 MiB in one request, so large files are uploaded by
 * parts.
 *
 * fauxqs is patched (patches/): as published it listens on every interface, reads the whole object for each range
 * (1.5 GB for 16 ranges of a file of 200 MB), and refuses a suffix range that is longer than the object, which S3
 * answers.
 */
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

/** Makes a bucket; one that is there stays as it is. */
export async function createBucket(
  { endpoint, region, ...credentials }: Bucket,
  name: string,
): Promise<void> {
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: name }))
  client.destroy()
}
