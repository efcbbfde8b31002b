import { join } from 'node:path'
import type { Sql } from 'postgres'
import { dice } from '../../scripts/dice.ts'
import { startNats } from '../../scripts/nats.ts'
import { freshFolder } from '../support/servers.ts'
import { drawCargo, waresOf } from './cargo.ts'
import type { Drill } from './drill.ts'
import { startPlant } from './plant.ts'

/** How long all jobs may take once NATS is there again, in milliseconds. */
const END_MS = 180_000

/** Jobs end before the store is lost, so that what is lost is in every state. */
const ENDED_BEFORE = 3

export const natsAmnesia: Drill = {
  name: 'nats-amnesia',
  about: 'the whole store of NATS is deleted while jobs are queued and running: every job ends',
  runs: { small: 20, full: 100 },
  run: async ({ seed, runs, say }) => {
    using folder = freshFolder()
    let nats = await startNats({ dir: join(folder.path, 'before') })
    try {
      const wares = waresOf(1)
      await using plant = await startPlant({ wares, workers: 2, natsUrl: nats.url })
      const chance = dice(seed, 0)
      const urls: string[] = []
      for (let no = 0; no < runs + ENDED_BEFORE; no++)
        urls.push(await plant.upload(drawCargo(chance, no, wares)))
      for (const url of urls) await plant.put(url)
      await untilEnded(plant.sql, ENDED_BEFORE)
      await nats.kill()
      const [queued] = await plant.sql`
        select count(*) filter (where status = 'enfileirado')::int as queued,
          count(*) filter (where status = 'processando')::int as running from bulk.job`
      nats = await startNats({ dir: join(folder.path, 'after'), port: nats.port })
      const started = Date.now()
      const alive = await plant.settled(END_MS)
      const tookS = ((Date.now() - started) / 1000).toFixed(1)
      say(
        `lost with ${queued?.queued} queued and ${queued?.running} running; ${alive} alive after ${tookS} s`,
      )
      // awaited here: the plant is gone when this function returns
      return await plant.check(say)
    } finally {
      await nats.stop()
    }
  },
}

async function untilEnded(sql: Sql, count: number): Promise<void> {
  while (true) {
    const [row] = await sql`select count(*)::int as ended from bulk.job where finished_at is not null`
    if (row?.ended >= count) return
    await Bun.sleep(20)
  }
}
