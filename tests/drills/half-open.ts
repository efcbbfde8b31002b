import { type FaultProxy, startFaultProxy, type Watch } from '../support/fault-proxy.ts'
import { servers } from '../support/servers.ts'
import type { Cargo, Ware } from './cargo.ts'
import { clean, type Drill, type Tally } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** Which connections of the worker go dead, and when. */
const LINKS = ['postgres', 'source', 'nats'] as const
type Link = (typeof LINKS)[number]

const MOMENTS: Record<Link, Omit<Watch, 'when' | 'strike'>> = {
  postgres: { texts: ['from stdin'], from: 'client', bytesLater: 30_000 },
  source: { texts: ['206 '], from: 'server', skip: 1, bytesLater: 20_000 },
  nats: { texts: ['+ACK'], from: 'client' },
}

/** How long a dead connection may go unnoticed, and the job may take after that, in milliseconds. */
const NOTICE_MS = 30_000
const WORK_MS = 10_000

/** When PostgreSQL gives a client up that no longer answers, in milliseconds. */
const SERVER_MS = 25_000

/** A file of several chunks. */
const ROWS = 20_000

export const halfOpen: Drill = {
  name: 'half-open',
  about:
    'connections of a worker to PostgreSQL, the source or NATS go dead and stay open: noticed within 30 s',
  runs: { small: 3, full: 30 },
  run: async ({ runs, say }) => {
    // all it does is wait, so the three wait at once
    const lanes = LINKS.map((link, at) => {
      const count = Math.ceil((runs - at) / LINKS.length)
      return count > 0 ? runLane(link, { count, say }) : clean()
    })
    return sum(...(await Promise.all(lanes)))
  },
}

async function runLane(
  link: Link,
  { count, say }: { count: number; say: (line: string) => void },
): Promise<Tally> {
  const target = { postgres: servers.databaseUrl, nats: servers.natsUrl, source: servers.s3.endpoint }[link]
  await using proxy = await startFaultProxy(target)
  const by = (url: string) => proxy.by(url)
  const wares = Array.from({ length: count }, (_, no): Ware => ({
    name: `count_${link}_${no}`,
    kind: 'count',
  }))
  await using plant = await startPlant({
    wares,
    workers: 1,
    ...(link === 'postgres' ? { workerDatabaseUrl: by } : {}),
    ...(link === 'nats' ? { workerNatsUrl: by(servers.natsUrl) } : {}),
    ...(link === 'source' ? { workerEnv: { S3_ENDPOINT: by(servers.s3.endpoint) } } : {}),
  })
  const tally = clean()
  for (const [no, ware] of wares.entries()) {
    const tookMs = await goDead(plant, proxy, { link, cargo: { no, ware, first: no, rows: ROWS } })
    say(`${link}: the job ended ${(tookMs / 1000).toFixed(1)} s after the connections went dead`)
    if (tookMs > NOTICE_MS + WORK_MS) tally.unexpected++
  }
  return sum(tally, await plant.check(say))
}

/** @returns how long the job took after that */
async function goDead(
  plant: Plant,
  proxy: FaultProxy,
  { link, cargo }: { link: Link; cargo: Cargo },
): Promise<number> {
  const url = await plant.upload(cargo)
  const dead = proxy.watch({
    ...MOMENTS[link],
    when: 'before',
    strike: () => {
      proxy.swallow(SERVER_MS)
      return 'drop'
    },
  })
  await plant.put(url)
  await dead
  const started = performance.now()
  await plant.settled(4 * NOTICE_MS)
  return performance.now() - started
}
