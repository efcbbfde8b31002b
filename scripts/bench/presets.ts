import { type Bounds, readConfig } from '../../src/config.ts'

/** The bounds of the service as they are when nobody sets them, which is how the benchmark runs it. */
export function presetBounds(): Bounds {
  return readConfig({ DATABASE_URL: 'postgres://host/database', NATS_URL: 'nats://host' }).bounds
}
