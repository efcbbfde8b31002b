import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { dice } from '../../scripts/dice.ts'
import { servers } from '../support/servers.ts'
import { until } from '../support/service.ts'
import { drawCargo, figuraOf, waresOf } from './cargo.ts'
import { clean, type Drill } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** The bells of the API are lost, then the first ones of the sweeper: its second ones have to come through. */
const PURGES = 2

/**
 * How long all bells may take to be rung anew, in milliseconds: with a queue that has some of them the sweeper waits a
 * minute for the others to be heard. Less than the two minutes for which JetStream takes a second message of one id for
 * the first one.
 */
const RING_MS = 90_000

/** How long the jobs may take then, in milliseconds. */
const END_MS = 120_000

/** Threads of the worker, each of which is kept busy while the stream is purged. */
const THREADS = 2

export const natsPurge: Drill = {
  name: 'nats-purge',
  about: 'an operator purges the stream, and again, while jobs are queued: every job is rung for each time',
  // of several that a sweep comes between, the later ones are rung for a minute later: too long for the small run
  runs: { small: 1, full: 200 },
  run: async ({ seed, runs, say }) => {
    const wares = waresOf(2)
    const env = { WORKER_THREADS: `${THREADS}`, SOURCE_IDLE_SECONDS: '300' }
    await using plant = await startPlant({ wares, workers: 1, env })
    await using source = await occupy(plant)
    const chance = dice(seed, 0)
    for (let no = 0; no < runs; no++) await plant.send(drawCargo(chance, no, wares))
    const unrung = await purgeTheStream(plant.stream, { jobs: runs, say })
    source.letGo()
    const alive = await plant.settled(END_MS)
    if (alive) say(`${alive} jobs have not ended ${END_MS / 1000} s after the last purge`)
    return sum(await plant.check(say), { ...clean(), unexpected: unrung })
  },
}

/** Has each thread wait for a source that says nothing until it is told to: then that there is no such file. */
async function occupy(plant: Plant): Promise<{ letGo(): void } & AsyncDisposable> {
  const gate = Promise.withResolvers<void>()
  let asked = 0
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch: async () => {
      asked++
      await gate.promise
      return new Response(null, { status: 404 })
    },
  })
  const letGo = () => gate.resolve()
  const name = 'ocupa'
  const file = join(plant.folder, 'figuras', `${name}.yaml`)
  writeFileSync(file, figuraOf({ name, kind: 'merge' }, server.url.href))
  for (let no = 0; no < THREADS; no++) {
    const { status } = await plant.api.put(`/${name}/_bulk`, { url: `${server.url.href}${no}` })
    if (status !== 202) throw new Error(`the API answered ${status}`)
  }
  await until('every thread is busy', async () => asked >= THREADS || undefined)
  return {
    letGo,
    [Symbol.asyncDispose]: async () => {
      letGo()
      await server.stop(true)
    },
  }
}

/** @returns how many jobs were not rung for in time */
async function purgeTheStream(
  stream: string,
  { jobs, say }: { jobs: number; say: (line: string) => void },
): Promise<number> {
  const nc = await connect({ servers: servers.natsUrl })
  try {
    const { streams } = await jetstreamManager(nc)
    const unrung = async () => Math.max(0, jobs - (await streams.info(stream)).state.messages)
    for (let purge = 1; ; purge++) {
      const deadline = Date.now() + RING_MS
      while ((await unrung()) > 0 && Date.now() < deadline) await Bun.sleep(50)
      const missing = await unrung()
      say(`after ${purge - 1} purges, ${missing} of ${jobs} jobs have no bell`)
      if (missing > 0 || purge > PURGES) return missing
      await streams.purge(stream)
    }
  } finally {
    await nc.close()
  }
}
