import { startFaultProxy, type Verdict } from '../support/fault-proxy.ts'
import { servers } from '../support/servers.ts'
import { until } from '../support/service.ts'
import type { Cargo, Ware } from './cargo.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** How long a worker that goes on has to do harm, in milliseconds. */
const HARM_MS = 1500
const END_MS = 60_000

/**
 * The rows of a chunk are copied, and before they are marked the worker is stopped; another one does all chunks, and
 * waits to merge while the first goes on. What it has copied must not count.
 */
export const overtaken: Drill = {
  name: 'overtaken',
  about:
    'a worker is stopped before it marks its chunk, and goes on once another has done it: it counts once',
  runs: { small: 1, full: 20 },
  run,
}

async function run({ runs, say }: Trial): Promise<Tally> {
  const wares: Ware[] = Array.from({ length: runs }, (_, no) => ({ name: `replace_${no}`, kind: 'replace' }))
  await using proxy = await startFaultProxy(servers.databaseUrl)
  await using plant = await startPlant({
    wares,
    workers: 0,
    quiet: true,
    workerDatabaseUrl: (url) => proxy.by(url),
  })
  const tally = clean()
  for (const [no, ware] of wares.entries()) {
    const wrong = await overtake({ no, ware, first: no, rows: 20_000 }, plant, proxy)
    if (!wrong) continue
    tally.unexpected++
    say(`${ware.name}: ${wrong}`)
  }
  return sum(tally, await plant.check(say))
}

type Proxy = Awaited<ReturnType<typeof startFaultProxy>>

/** @returns what went wrong */
async function overtake(cargo: Cargo, plant: Plant, proxy: Proxy): Promise<string | undefined> {
  const { sql, crew } = plant
  const url = await plant.upload(cargo)
  const slow = await crew.add()
  const gate = await holdMerge(plant, cargo.ware)
  const struck = proxy.watch({
    texts: ['done_at = clock_timestamp()'],
    from: 'client',
    when: 'before',
    strike: async (): Promise<Verdict> => {
      process.kill(slow.threads(), 'SIGSTOP')
      await crew.add()
      await until('another worker has done all chunks', async () => {
        const [row] = await sql`select count(*) filter (where done_at is null)::int as open from bulk.chunk`
        return row?.open === 0 ? true : undefined
      })
      process.kill(slow.threads(), 'SIGCONT')
      return 'pass'
    },
  })
  await plant.put(url)
  await struck
  await Bun.sleep(HARM_MS)
  await gate.open()
  const alive = await plant.settled(END_MS)
  await crew.dismiss()
  const [job] = await sql`select status, error->>'code' as code from bulk.job order by seq desc limit 1`
  if (alive) return `the job has not ended ${END_MS / 1000} s later`
  return job?.status === 'completo' ? undefined : `the job ended in ${job?.status} (${job?.code})`
}

/** Holds the lock that a merge into the table takes first. */
async function holdMerge({ sql }: Plant, { name }: Ware): Promise<{ open(): Promise<void> }> {
  const opened = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const holding = sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${`public.${name}`}, 0))`
    held.resolve()
    await opened.promise
  })
  await held.promise
  return {
    open: async () => {
      opened.resolve()
      await holding
    },
  }
}
