import { statSync } from 'node:fs'
import { join } from 'node:path'
import { upload } from '../upload.ts'
import { compare } from './compare.ts'
import { type Dataset, figuraYaml } from './data.ts'
import { writeParquet } from './duck.ts'
import { load } from './jobs.ts'
import { megabytes } from './limit.ts'
import { BUCKET, type Rig, writeFigura } from './rig.ts'
import { makeReference, makeTarget, type Tables, tablesOf } from './target.ts'

/** A dataset whose file lies in the bucket, and whose figura is known to the service. */
export type Uploaded = { dataset: Dataset; parquet: string; url: string; bytes: number; tables: Tables }

/** One that was loaded once besides: with a ready file in binary COPY format, and tables for the reference. */
export type Ready = Uploaded & { binary: string; binaryBytes: number }

const uploaded = new Map<string, Uploaded>()
const ready = new Map<string, Ready>()

/** Makes a dataset's file and puts it into the bucket, once. */
export async function prepareFile(rig: Rig, dataset: Dataset): Promise<Uploaded> {
  const known = uploaded.get(dataset.name)
  if (known) return known
  rig.say(`making the file ${dataset.name}: ${dataset.title}, ${dataset.rows} rows`)
  const parquet = join(rig.files, `${dataset.name}.parquet`)
  const { bytes } = await writeParquet(rig.duck, dataset.select, parquet)
  const { endpoint, region } = rig.embedded.bucket
  const url = await upload(parquet, { endpoint, region, bucket: BUCKET, key: `${dataset.name}.parquet` })
  await makeTarget(rig.sql, dataset)
  writeFigura(rig, dataset.name, figuraYaml(dataset, BUCKET))
  const made = { dataset, parquet, url, bytes, tables: tablesOf(dataset.name) }
  uploaded.set(dataset.name, made)
  return made
}

/**
 * Loads it once, untimed: this makes the table and warms the service up, and the ready file of the reference is written
 * from what was loaded, when that was found to be what is in the file.
 */
export async function prepareReady(rig: Rig, dataset: Dataset): Promise<Ready> {
  const known = ready.get(dataset.name)
  if (known) return known
  const file = await prepareFile(rig, dataset)
  const service = await rig.use({ threads: 2 })
  const job = await load(service.url, dataset.name, file.url)
  rig.say(`loaded ${dataset.name} for the first time, in ${(job.wallMs / 1000).toFixed(2)} s`)
  const difference = await compareWithFile(rig, file)
  if (difference) throw new Error(`the table differs from the file: ${difference}`)
  await makeReference(rig.sql, file.tables)
  const binary = join(rig.files, `${dataset.name}.bin`)
  await rig.sql.unsafe(`copy (select * from ${file.tables.ours} order by id) to '${binary}' (format binary)`)
  const made = { ...file, binary, binaryBytes: statSync(binary).size }
  const sizes = `${megabytes(file.bytes)} as parquet, ${megabytes(made.binaryBytes)} as binary COPY`
  rig.say(`the table is as the file, value by value; ${sizes}`)
  ready.set(dataset.name, made)
  return made
}

/** What differs between the table that the service filled and the file; null when nothing does. */
export function compareWithFile(
  { sql, duck }: Rig,
  { dataset, parquet, tables }: Uploaded,
): Promise<string | null> {
  return compare({ sql, duck, table: tables.ours, files: parquet, columns: dataset.columns })
}
