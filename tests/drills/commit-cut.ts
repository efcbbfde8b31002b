import { dice } from '../../scripts/dice.ts'
import { startFaultProxy, type Verdict, type Watch } from '../support/fault-proxy.ts'
import { servers } from '../support/servers.ts'
import { type Cargo, waresOf } from './cargo.ts'
import { clean, type Drill } from './drill.ts'
import { sum } from './oracle.ts'
import { startPlant } from './plant.ts'

const END_MS = 60_000

/** What PostgreSQL takes for a COMMIT at the most before its connection is cut, in milliseconds. */
const COMMIT_MS = 100

const END = "status = 'completo'"

export const commitCut: Drill = {
  name: 'commit-cut',
  about: 'the connection breaks at a COMMIT: before it arrives, or when only its answer is missing',
  runs: { small: 4, full: 200 },
  run: async ({ seed, runs, say }) => {
    await using proxy = await startFaultProxy(servers.databaseUrl)
    const wares = waresOf(1)
    await using plant = await startPlant({ wares, workers: 1, workerDatabaseUrl: (url) => proxy.by(url) })
    const chance = dice(seed, 0)
    const tally = clean()
    for (let no = 0; no < runs; no++) {
      const ware = chance.one(wares)
      const rows = chance.chance(0.5) ? 300 : 12_000
      const cargo: Cargo = { no, ware, first: chance.below(5000), rows }
      const url = await plant.upload(cargo)
      const when = no % 2 === 0 ? 'before' : 'after'
      const cut = proxy.watch(cutAt(when))
      await plant.put(url)
      const reached = await Promise.race([cut.then(() => true), Bun.sleep(END_MS).then(() => false)])
      const alive = await plant.settled(END_MS)
      if (reached && !alive) continue
      tally.unexpected++
      say(`job ${no} of ${ware.name}, ${rows} rows, ${when}: reached ${reached}, ${alive} alive`)
    }
    return sum(tally, await plant.check(say))
  },
}

function cutAt(when: Watch['when']): Watch {
  return {
    texts: [END, 'commit\0'],
    from: 'client',
    when,
    strike: async (): Promise<Verdict> => {
      if (when === 'after') await Bun.sleep(COMMIT_MS)
      return 'cut'
    },
  }
}
