import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Bucket, startBucket } from './bucket.ts'
import { type Nats, startNats } from './nats.ts'
import { type Postgres, startPostgres } from './postgres.ts'

export type Embedded = { postgres: Postgres; nats: Nats; bucket: Bucket; stop(): Promise<void> }

type EmbeddedOptions = {
  /** Holds all that the servers keep. */
  dir: string
  /** Absent: any free port. */
  ports?: { postgres?: number; nats?: number; bucket?: number }
  /** true: what was committed survives a power cut. */
  persistent: boolean
  /** Settings of PostgreSQL beside ours, or in place of them. */
  postgresSettings?: Record<string, string>
}

/**
 * Starts PostgreSQL, NATS and an S3 endpoint side by side, on 127.0.0.1 only. When one of them does not start, those
 * that did are stopped again before the error is thrown.
 */
export async function startEmbedded({
  dir,
  ports = {},
  persistent,
  postgresSettings,
}: EmbeddedOptions): Promise<Embedded> {
  mkdirSync(dir, { recursive: true })
  chmodSync(dir, 0o711) // PostgreSQL may run as another user, and has to pass through
  const started = await Promise.allSettled([
    startPostgres({
      dir: join(dir, 'postgres'),
      port: ports.postgres,
      durable: persistent,
      settings: postgresSettings,
    }),
    startNats({ dir: join(dir, 'nats'), port: ports.nats }),
    startBucket({ dir: join(dir, 'bucket'), port: ports.bucket }),
  ])
  const [postgres, nats, bucket] = started
  const stop = async () => {
    const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    for (const server of running.reverse()) await server.stop()
  }
  if (postgres.status === 'fulfilled' && nats.status === 'fulfilled' && bucket.status === 'fulfilled') {
    return { postgres: postgres.value, nats: nats.value, bucket: bucket.value, stop }
  }
  await stop()
  throw new AggregateError(
    started.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])),
    'The embedded servers did not start',
  )
}
