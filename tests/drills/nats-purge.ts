import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { dice } from '../../scripts/dice.ts'
import { servers } from '../support/servers.ts'
import { drawCargo, waresOf } from './cargo.ts'
import { clean, type Drill } from './drill.ts'
import { sum } from './oracle.ts'
import { startPlant } from './plant.ts'

/** The first rings come from the API, without an id; of the sweeper's, one more has to come through than one. */
const PURGES = 3

/**
 * How long all bells may take to be rung anew, and how long the jobs may take then, in milliseconds. Both are far below
 * the two minutes for which JetStream takes a second message of one id for the first one.
 */
const RING_MS = 20_000
const END_MS = 60_000

export const natsPurge: Drill = {
  name: 'nats-purge',
  about:
    'an operator purges the stream, again and again, while jobs are queued: every job is rung for each time',
  runs: { small: 20, full: 200 },
  run: async ({ seed, runs, say }) => {
    const wares = waresOf(2)
    await using plant = await startPlant({ wares, workers: 0 })
    const chance = dice(seed, 0)
    for (let no = 0; no < runs; no++) await plant.send(drawCargo(chance, no, wares))
    const unrung = await purgeTheStream(plant.stream, { jobs: runs, say })
    await Promise.all([plant.crew.add(), plant.crew.add()])
    const alive = await plant.settled(END_MS)
    if (alive) say(`${alive} jobs have not ended ${END_MS / 1000} s after the last purge`)
    // awaited here: the plant is gone when this function returns
    return sum(await plant.check(say), { ...clean(), unexpected: unrung })
  },
}

/** @returns how many jobs were not rung for in time */
async function purgeTheStream(
  stream: string,
  { jobs, say }: { jobs: number; say: (line: string) => void },
): Promise<number> {
  const nc = await connect({ servers: servers.natsUrl })
  try {
    const { streams } = await jetstreamManager(nc)
    const stored = async () => (await streams.info(stream)).state.messages
    for (let purge = 1; purge <= PURGES; purge++) {
      const deadline = Date.now() + RING_MS
      while ((await stored()) < jobs && Date.now() < deadline) await Bun.sleep(50)
      const unrung = jobs - (await stored())
      say(`before purge ${purge}: ${unrung} of ${jobs} jobs have no bell`)
      if (unrung > 0) return unrung
      await streams.purge(stream)
    }
    return 0
  } finally {
    await nc.close()
  }
}
