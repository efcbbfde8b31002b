import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { amount } from '../../steps.ts'
import { mainData } from '../data.ts'
import { check, type Figures, figures, type Row, row, skippedRow } from '../figures.ts'
import { type Loaded, load } from '../jobs.ts'
import { megabytes } from '../limit.ts'
import { compareWithFile, prepareFile, type Uploaded } from '../prepare.ts'
import { presetBounds } from '../presets.ts'
import type { Rig } from '../rig.ts'
import { emptyTables } from '../target.ts'
import { canMeasure, peakMemoryBytes } from '../usage.ts'
import { watchFolder } from '../work-dir.ts'

const NAMES = {
  6: 'memory: peak of the worker, large file against main file',
  7: 'disk: local bytes at once, large file',
}

/** The large file has ten times the rows of the main one; in a quick run five times. */
const TIMES = { full: 10, quick: 5 }

const PEAK_MB = 700
const THREADS = 2

/**
 * What the disk must hold, per row of the large file: the file twice (50 bytes each, and its parts while it is
 * uploaded), stage and table with its index (250 and 280), and the WAL of both up to max_wal_size.
 */
const ROW_BYTES = 750
const WAL_BYTES = 5e9

type Bounded = Loaded & { peakBytes: number; folderBytes: number }

/** Rows 6 and 7: what a file costs in memory and on the disk however large it is. One run, since it takes minutes. */
export async function boundRows(rig: Rig): Promise<Row[]> {
  const { rows, seed, quick, only } = rig.options
  const ids = ([6, 7] as const).filter((id) => only.includes(id))
  const count = rows * (quick ? TIMES.quick : TIMES.full)
  const lack = canMeasure ? diskLack(rig.dir, count) : `${process.platform} does not tell, only Linux does`
  if (lack) return ids.map((id) => skippedRow(id, NAMES[id], lack))

  const main = await loadBounded(rig, await prepareFile(rig, mainData('main', rows, seed)))
  const largeFile = await prepareFile(rig, mainData('large', count, seed))
  const large = await loadBounded(rig, largeFile)
  rig.say('comparing the large table with its file')
  const difference = await compareWithFile(rig, largeFile)
  await emptyTables(rig.sql, [largeFile.tables.ours])
  const details = {
    rows: count,
    against: rows,
    parquetBytes: largeFile.bytes,
    seconds: large.wallMs / 1000,
    runs: 1,
  }
  const made: Record<6 | 7, Row> = {
    6: row(6, memory(main, large), {
      ...{ details, difference },
      checks: [check('peak', large.peakBytes / 1e6, PEAK_MB, 'MB')],
      limit: `the large file took ${(large.wallMs / 1000).toFixed(1)} s, ${amount(count)} rows`,
    }),
    7: diskRow(large, details, difference),
  }
  return ids.map((id) => made[id])
}

function memory(main: Bounded, large: Bounded): Figures {
  const measured = { ours: [large.peakBytes / 1e6], reference: [main.peakBytes / 1e6] }
  return figures({ name: NAMES[6], unit: 'MB', target: 1.15 }, measured)
}

/** Against what the chunks in work may have at the most, uncompressed as the footer states it. */
function diskRow(large: Bounded, details: Row['details'], difference: string | null): Row {
  const { chunkBytes } = presetBounds()
  const measured = { ours: [large.folderBytes / 1e6], reference: [(chunkBytes * THREADS) / 1e6] }
  const own = figures({ name: NAMES[7], unit: 'MB', target: 1.2 }, measured)
  return row(7, own, {
    ...{ details, difference },
    limit: `chunks of ${megabytes(chunkBytes)} at the most, ${THREADS} threads`,
  })
}

/** By a service that has done nothing else before. */
async function loadBounded(rig: Rig, file: Uploaded): Promise<Bounded> {
  const service = await rig.use({ threads: THREADS, fresh: true, staged: true })
  await emptyTables(rig.sql, [file.tables.ours])
  const end = watchFolder(join(rig.dir, 'node1/work'), rig.workers)
  const job = await load(service.url, file.dataset.name, file.url).finally(end)
  const peaks = rig.workers().map((pid) => peakMemoryBytes(pid) ?? 0)
  const found = { ...job, peakBytes: Math.max(...peaks), folderBytes: end() }
  const disk = megabytes(found.folderBytes)
  rig.say(
    `${file.dataset.name}: ${(job.wallMs / 1000).toFixed(1)} s, peak ${megabytes(found.peakBytes)}, disk ${disk}`,
  )
  return found
}

function diskLack(dir: string, rows: number): string | undefined {
  const { bavail, bsize } = statfsSync(dir)
  const [free, needed] = [bavail * bsize, rows * ROW_BYTES + WAL_BYTES]
  if (free >= needed) return undefined
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(0)} GB`
  const expected = `${gigabytes(needed)} for ${rows} rows. Set TMPDIR, or --rows`
  return `found ${gigabytes(free)} free in ${dir}, expected ${expected}`
}
