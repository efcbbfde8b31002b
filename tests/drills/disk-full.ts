import { chmodSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { dice } from '../../scripts/dice.ts'
import { startPostgres } from '../../scripts/postgres.ts'
import { migrate } from '../../src/db/migrate.ts'
import { freshFolder } from '../support/servers.ts'
import { waresOf } from './cargo.ts'
import { clean, type Drill } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'

/** The disk of tables and stages; what is left of it while it is full. */
const DISK_MB = 96
const LEFT_BYTES = 100_000

/** How long the disk is full: longer than all tries would take if they counted, in milliseconds. */
const FULL_MS = 12_000
const TRIES = 3

const END_MS = 120_000

export const diskFull: Drill = {
  name: 'disk-full',
  about:
    'the disk of PostgreSQL is full for longer than all tries take: jobs wait, and end well when there is room',
  runs: { small: 1, full: 10 },
  run: async ({ seed, runs, say }) => {
    using folder = freshFolder()
    using disk = mountDisk()
    if (!disk) {
      say('not run: it takes the right to mount a tmpfs')
      return clean()
    }
    const server = await startPostgres({ dir: folder.path, durable: false })
    try {
      await useDisk(server.url, disk.path)
      const wares = waresOf(1)
      const env = { ATTEMPTS: String(TRIES) }
      await using plant = await startPlant({ wares, workers: 1, databaseUrl: server.url, env })
      const chance = dice(seed, 0)
      const tally = clean()
      for (let round = 0; round < runs; round++) {
        const urls: string[] = []
        for (const [at, ware] of wares.entries()) {
          const rows = at % 2 ? 900 : 12_000
          const cargo = { no: round * wares.length + at, ware, first: chance.below(5000), rows }
          urls.push(await plant.upload(cargo))
        }
        disk.fill()
        for (const url of urls) await plant.put(url)
        await Bun.sleep(FULL_MS)
        tally.unexpected += await failedAt(plant, say)
        disk.free()
        const alive = await plant.settled(END_MS)
        if (alive) say(`${alive} jobs have not ended ${END_MS / 1000} s after there was room`)
      }
      return sum(tally, await plant.check(say))
    } finally {
      await server.stop()
    }
  },
}

/** Jobs that were given up; how many of the others the disk kept from their end is told. */
async function failedAt({ sql }: Plant, say: (line: string) => void): Promise<number> {
  const [row] = await sql`
    select count(*) filter (where status = 'erro')::int as failed,
      count(*) filter (where status in ('enfileirado', 'processando'))::int as waiting,
      max(attempts) filter (where finished_at is null) as attempts
    from bulk.job`
  say(`the disk is full: ${row?.waiting} jobs wait, ${row?.failed} have failed, ${row?.attempts} attempts`)
  return row?.waiting === 0 ? 1 : 0
}

/** Tables that are made from now on, and those of sessions, stand on the small disk. */
async function useDisk(url: string, path: string): Promise<void> {
  await migrate(url)
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  // by the server itself, which wants to own it
  await sql.unsafe(`copy (select) to program 'mkdir ${path}/tables'`)
  await sql.unsafe(`create tablespace small location '${path}/tables'`)
  await sql.unsafe(`alter database bulk set default_tablespace = small`)
  await sql.unsafe(`alter database bulk set temp_tablespaces = small`)
  await sql.end()
}

type Disk = Disposable & { path: string; fill(): void; free(): void }

/** A file system in memory; undefined where it may not be mounted. */
function mountDisk(): Disk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'bulk-disk-'))
  const mount = ['mount', '-t', 'tmpfs', '-o', `size=${DISK_MB}m,mode=0777`, 'tmpfs', path]
  if (!Bun.which('mount') || Bun.spawnSync(mount, { stdout: 'ignore', stderr: 'ignore' }).exitCode !== 0) {
    rmSync(path, { recursive: true })
    return undefined
  }
  chmodSync(path, 0o777)
  const ballast = join(path, 'ballast')
  return {
    path,
    fill: () => {
      const { bavail, bsize } = statfsSync(path)
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)))
    },
    free: () => truncateSync(ballast, 0),
    [Symbol.dispose]: () => {
      Bun.spawnSync(['umount', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}
