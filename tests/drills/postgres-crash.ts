import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '../../scripts/postgres.ts'
import { dice } from '../../scripts/dice.ts'
import { freshFolder } from '../support/servers.ts'
import { drawCargo, waresOf } from './cargo.ts'
import { clean, type Drill } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** Jobs that are sent for each crash. */
const JOBS_PER_CRASH = 4

/** How long the last jobs may take when nothing crashes any more, in milliseconds. */
const END_MS = 180_000

export const postgresCrash: Drill = {
  name: 'postgres-crash',
  about: 'PostgreSQL crashes during loads, and empties every UNLOGGED stage: none is merged empty',
  runs: { small: 3, full: 20 },
  run: async ({ seed, runs, say }) => {
    using folder = freshFolder()
    let server = await startPostgres({ dir: folder.path, durable: false })
    try {
      const wares = waresOf(1)
      await using plant = await startPlant({ wares, workers: 2, databaseUrl: server.url })
      const files = dice(seed, 0)
      const faults = dice(seed, 1)
      for (let crash = 0; crash < runs; crash++) {
        for (let job = 0; job < JOBS_PER_CRASH; job++) {
          const cargo = drawCargo(files, crash * JOBS_PER_CRASH + job, wares)
          // large ones alone: what is staged is what a crash can empty
          const url = await plant.upload({ ...cargo, rows: 12_000 + (cargo.rows % 8000) })
          while ((await plant.put(url)).status !== 202) await Bun.sleep(200)
        }
        await Bun.sleep(faults.below(1000))
        if (faults.chance(0.5)) await killBackend(plant)
        else server = await crashServer(server, folder.path)
      }
      const alive = await plant.settled(END_MS)
      const said = plant.crew.lines().map(({ message }) => message)
      const lost = said.filter(
        (line) => line === 'the stage was lost, as after a crash of PostgreSQL; the file is read again',
      )
      say(`${alive} jobs are alive; a lost stage was found ${lost.length} times`)
      const ended = said.filter((line) => line === 'the worker process ended; it is started again').length
      if (ended) say(`${ended} worker processes ended, which did not crash with it`)
      return sum({ ...clean(), unexpected: ended }, await plant.check(say))
    } finally {
      await server.stop()
    }
  },
}

/** `pg_ctl stop -m immediate`, and a start. */
async function crashServer(server: Postgres, dir: string): Promise<Postgres> {
  const elsewhere = join(dir, 'elsewhere')
  const data = join(existsSync(elsewhere) ? elsewhere : dir, 'data')
  process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGQUIT')
  await server.exited
  return startPostgres({ dir, port: server.port, durable: false })
}

/** PostgreSQL ends all others too, and recovers, when one of its processes is killed. */
async function killBackend({ sql }: Pick<Plant, 'sql'>): Promise<void> {
  const rows = sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() order by state = 'active' desc limit 1`
  // it may be starting still, after the crash before
  const [row] = await rows.catch(() => [])
  if (row) process.kill(row.pid, 'SIGKILL')
  else await Bun.sleep(100).then(() => killBackend({ sql }))
}
