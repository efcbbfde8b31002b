import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { duck } from '../support/parquet.ts'
import type { FileSpec } from './case.ts'

/** Makes the file; `folder` is for those that DuckDB writes. */
export async function fileBytes(spec: FileSpec, folder: string): Promise<Buffer> {
  const whole = await plainBytes(spec, folder)
  const cut = spec.cut ? whole.subarray(0, whole.length - spec.cut) : whole
  if (spec.pack === 'gzip') return gzipSync(cut)
  return spec.pack === 'zstd' ? zstdCompressSync(cut) : cut
}

async function plainBytes(spec: FileSpec, folder: string): Promise<Buffer> {
  if (spec.hex !== undefined) return Buffer.from(spec.hex.replace(/\s/g, ''), 'hex')
  if (spec.base64 !== undefined) return Buffer.from(spec.base64, 'base64')
  if (spec.text !== undefined) return Buffer.from(spec.text)
  if (spec.format === 'avro') return avroBytes(spec, folder)
  if (spec.rows) return Buffer.from(spec.rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return duckBytes(spec, folder)
}

async function duckBytes({ select, format = 'parquet', options }: FileSpec, folder: string): Promise<Buffer> {
  const path = join(folder, crypto.randomUUID())
  const kind = format === 'ndjson' ? 'json' : format
  const connection = await duck()
  await connection.run(`copy (${select}) to '${path}' (format ${kind}${options ? `, ${options}` : ''})`)
  connection.closeSync()
  return readFileSync(path)
}

async function avroBytes({ schema, rows = [], codec = 'null' }: FileSpec, folder: string): Promise<Buffer> {
  const { createFileEncoder } = await import('avsc')
  const path = join(folder, crypto.randomUUID())
  const encoder = createFileEncoder(path, schema as never, { codec })
  const done = new Promise((resolve, reject) => encoder.on('finish', resolve).on('error', reject))
  for (const row of rows) encoder.write(row)
  encoder.end()
  await done
  return readFileSync(path)
}
