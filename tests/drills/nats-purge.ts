import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { dice } from '../../scripts/dice.ts'
import { servers } from '../support/servers.ts'
import { drawCargo, waresOf } from './cargo.ts'
import type { Drill } from './drill.ts'
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
    const nc = await connect({ servers: servers.natsUrl })
    try {
      const { streams } = await jetstreamManager(nc)
      for (let purge = 1; purge <= PURGES; purge++) {
        const stored = async () => (await streams.info(plant.stream)).state.messages
        const deadline = Date.now() + RING_MS
        while ((await stored()) < runs && Date.now() < deadline) await Bun.sleep(50)
        say(`purge ${purge} of ${await stored()} bells, of ${runs} jobs`)
        await streams.purge(plant.stream)
      }
    } finally {
      await nc.close()
    }
    await Promise.all([plant.crew.add(), plant.crew.add()])
    const alive = await plant.settled(END_MS)
    if (alive) say(`${alive} jobs have not ended ${END_MS / 1000} s after the last purge`)
    // awaited here: the plant is gone when this function returns
    return await plant.check(say)
  },
}
