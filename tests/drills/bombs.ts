import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dice } from '../../scripts/dice.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { servers } from '../support/servers.ts'
import { until } from '../support/service.ts'
import { type Bomb, BOMBS } from './bomb-files.ts'
import { drawCargo, type Ware, waresOf } from './cargo.ts'
import { clean, type Drill, type Tally } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** What the process that reads files may take, and where it is killed before it takes the machine, in MB. */
const LIMIT_MB = 1500
const KILL_MB = 2500

/** How long a bomb may take to be told, and a neighbour to end, in milliseconds. */
const BOMB_MS = 60_000
/** What kills its reader is told after the last try, and each restart waits twice as long as the last, up to 30 s. */
const KILLS_MS = 180_000
const END_MS = 60_000

/** Jobs of others that are sent with each bomb. */
const NEIGHBOURS = 3

/** The figuras that bombs are sent to; the table of the first one stays empty. */
const VICTIM: Ware = { name: 'merge_8', kind: 'merge' }
const LENIENT: Ware = { name: 'merge_9', kind: 'merge' }

const ENV = {
  ATTEMPTS: '3',
  LEASE_SECONDS: '2',
  CHUNK_EXPANDED_MAX_MB: '128',
  FILE_EXPANDED_MAX_GB: '1',
  // the key of each of 200,000,000 rows is looked at for minutes before it is known to be the same
  FILE_MAX_ROWS: '50000000',
  DUCKDB_MEMORY_MB: '256',
}

export const bombs: Drill = {
  name: 'bombs',
  about:
    'files that unpack to gigabytes, and one that kills who reads it: that job alone fails, in bounded memory',
  runs: { small: 6, full: 3 * BOMBS.length },
  run: async ({ seed, runs, say }) => {
    const wares = waresOf(1)
    await using source = await startFaultProxy(servers.s3.endpoint)
    await using plant = await startPlant({
      wares: [...wares, VICTIM],
      unchecked: [LENIENT],
      workers: 1,
      env: ENV,
      quiet: true,
      workerEnv: { S3_ENDPOINT: source.by(servers.s3.endpoint) },
    })
    const chance = dice(seed, 0)
    const tally = clean()
    for (let no = 0; no < runs; no++) {
      const bomb = BOMBS[no % BOMBS.length]
      if (!bomb) break
      const url = await uploadBomb(plant, bomb, { no, whole: no >= BOMBS.length })
      const neighbours = Array.from({ length: NEIGHBOURS }, (_, at) =>
        drawCargo(chance, no * NEIGHBOURS + at, wares),
      )
      for (const neighbour of neighbours) await plant.send({ ...neighbour, rows: 500 })
      tally.unexpected += await explode(plant, source, { bomb, url, say })
    }
    await plant.settled(END_MS)
    return sum(tally, await plant.check(say))
  },
}

/** @returns 1 when it went wrong */
async function explode(
  plant: Plant,
  source: FaultProxy,
  { bomb, url, say }: { bomb: Bomb; url: string; say: (line: string) => void },
): Promise<Tally['unexpected']> {
  const guard = guardMemory(plant)
  if (bomb.kills) killReaders(plant, source, url)
  const started = performance.now()
  const { name } = bomb.harmless ? LENIENT : VICTIM
  const { body } = await plant.api.put(`/${name}/_bulk`, { url })
  const job = await until(
    'the bomb is told',
    async () => {
      const { body: status } = await plant.api.get(String(body.status_url))
      return ['completo', 'erro'].includes(String(status.status)) ? status : undefined
    },
    bomb.kills ? KILLS_MS : BOMB_MS,
  ).catch(() => undefined)
  source.unwatch()
  const { peakMb, killed } = guard.stop()
  const { code } = (job?.error ?? {}) as { code?: string }
  const ended = job?.status === 'erro' || (bomb.harmless && job?.status === 'completo')
  const wrong =
    !ended || (code === 'attempts_exhausted') !== (bomb.kills ?? false) || killed || peakMb > LIMIT_MB
  const took = ((performance.now() - started) / 1000).toFixed(1)
  say(`${bomb.name}: ${job?.status} ${code} after ${took} s, peak of the reader ${peakMb} MB`)
  return wrong ? 1 : 0
}

async function uploadBomb(
  { bucket, folder }: Plant,
  bomb: Bomb,
  { no, whole }: { no: number; whole: boolean },
): Promise<string> {
  const path = join(folder, `bomb-${no}`)
  await bomb.write(path, whole)
  await bucket.put(`bomb-${no}${bomb.ending}`, { file: path })
  return bucket.url(`bomb-${no}${bomb.ending}`)
}

/** Whoever asks for the file crashes, as if its parser had; each time. */
function killReaders(plant: Plant, source: FaultProxy, url: string): void {
  void source
    .watch({
      texts: [new URL(url).pathname],
      from: 'client',
      when: 'before',
      strike: () => {
        for (const worker of plant.crew.working()) process.kill(worker.threads(), 'SIGSEGV')
        return 'drop'
      },
    })
    .then(() => killReaders(plant, source, url))
}

/** Notes the most memory that the readers have, and kills one before it takes the machine. */
function guardMemory({ crew }: Plant): { stop(): { peakMb: number; killed: boolean } } {
  let peakMb = 0
  let killed = false
  const look = () => {
    for (const worker of crew.working()) {
      const megabytes = residentMb(worker.threads())
      peakMb = Math.max(peakMb, megabytes)
      if (megabytes < KILL_MB) continue
      killed = true
      process.kill(worker.threads(), 'SIGKILL')
    }
  }
  const timer = setInterval(look, 50)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return { peakMb, killed }
    },
  }
}

/** What the process has in memory now; 0 when it is gone. */
function residentMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024)
  } catch {
    return 0
  }
}
