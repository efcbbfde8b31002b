import { dice } from '../../scripts/dice.ts'
import { startNats } from '../../scripts/nats.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { freshFolder } from '../support/servers.ts'
import { drawCargo, waresOf } from './cargo.ts'
import { clean, type Drill, type Tally } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** What a PUT may take, whatever NATS does, and how long all jobs may take afterwards, in milliseconds. */
const ANSWER_MS = 1000
const END_MS = 300_000

/** Different files; each is sent many times. */
const FILES = 20

/** PUTs at once. */
const CALLERS = 4

export const natsDown: Drill = {
  name: 'nats-down',
  about: 'PUTs while NATS is away and while it is a black hole: 202 within a second, and all jobs end',
  runs: { small: 20, full: 500 },
  run: async ({ seed, runs, say }) => {
    using folder = freshFolder()
    const nats = await startNats({ dir: folder.path })
    try {
      await using proxy = await startFaultProxy(nats.url)
      const wares = waresOf(1)
      const natsUrl = proxy.by(nats.url)
      await using plant = await startPlant({ wares, workers: 2, natsUrl, workerNatsUrl: natsUrl })
      const chance = dice(seed, 0)
      const urls: string[] = []
      for (let no = 0; no < FILES; no++) {
        const cargo = drawCargo(chance, no, wares)
        urls.push(await plant.upload({ ...cargo, rows: Math.min(cargo.rows, 500) }))
      }
      const tally = clean()
      for (const [mode, count] of [
        ['hole', Math.ceil(runs / 2)],
        ['refuse', Math.floor(runs / 2)],
      ] as const) {
        proxy.set(mode)
        const sent = Array.from({ length: count }, () => chance.one(urls))
        tally.unexpected += await putAll(plant, sent, { mode, say })
        proxy.set('pass')
      }
      const started = Date.now()
      const alive = await plant.settled(END_MS)
      say(`${alive} jobs are alive ${((Date.now() - started) / 1000).toFixed(1)} s after NATS is back`)
      return sum(tally, await plant.check(say))
    } finally {
      await nats.stop()
    }
  },
}

/** @returns how many were answered late, or otherwise than by 202 */
async function putAll(
  plant: Plant,
  urls: string[],
  { mode, say }: { mode: string; say: (line: string) => void },
): Promise<Tally['unexpected']> {
  const waiting = [...urls]
  const took: number[] = []
  let wrong = 0
  const caller = async () => {
    for (let url = waiting.pop(); url; url = waiting.pop()) {
      const started = performance.now()
      const { status } = await plant.put(url)
      took.push(performance.now() - started)
      if (status === 202 && (took.at(-1) ?? 0) <= ANSWER_MS) continue
      wrong++
      say(`NATS ${mode}: a PUT was answered ${status} after ${Math.round(took.at(-1) ?? 0)} ms`)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const sorted = took.sort((a, b) => a - b)
  const share = (of: number) => Math.round(sorted[Math.ceil(sorted.length * of) - 1] ?? 0)
  say(`NATS ${mode}: ${took.length} PUTs, p50 ${share(0.5)} ms, p99 ${share(0.99)} ms, max ${share(1)} ms`)
  return wrong
}
