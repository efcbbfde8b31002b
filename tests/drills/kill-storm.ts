import { dice } from '../../scripts/dice.ts'
import { drawCargo, waresOf } from './cargo.ts'
import type { Drill } from './drill.ts'
import { startPlant } from './plant.ts'

/** Jobs that are sent for each kill. */
const JOBS_PER_KILL = 5

const WORKERS = 3

/** How long the last jobs may take when nothing is killed any more, in milliseconds. */
const QUIET_MS = 180_000

export const killStorm: Drill = {
  name: 'kill-storm',
  about: 'worker processes are killed at random while five jobs a kill are loaded: each counts once',
  runs: { small: 6, full: 200 },
  run: async ({ seed, runs, say }) => {
    const wares = waresOf(2)
    await using plant = await startPlant({ wares, workers: WORKERS })
    const files = dice(seed, 0)
    const faults = dice(seed, 1)
    for (let kill = 0; kill < runs; kill++) {
      for (let job = 0; job < JOBS_PER_KILL; job++)
        await plant.send(drawCargo(files, kill * JOBS_PER_KILL + job, wares))
      await Bun.sleep(faults.below(1200))
      await plant.crew.killOne(faults)
    }
    const alive = await plant.settled(QUIET_MS)
    if (alive) say(`${alive} jobs have not ended ${QUIET_MS / 1000} s after the last kill`)
    // awaited here: the plant is gone when this function returns
    return await plant.check(say)
  },
}
