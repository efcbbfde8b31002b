import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompress, zstdCompressSync } from 'node:zlib'
import { streams } from 'avsc'
import { duck } from '../support/parquet.ts'
import type { FileSpec } from './case.ts'

/** Makes the file; `folder` is for those that DuckDB writes. */
export async function fileBytes(spec: FileSpec, folder: string): Promise<Buffer> {
  const plain = await plainBytes(spec, folder)
  const whole =
    spec.pack === 'gzip' ? gzipSync(plain) : spec.pack === 'zstd' ? zstdCompressSync(plain) : plain
  return spec.cut ? whole.subarray(0, whole.length - spec.cut) : whole
}

async function plainBytes(spec: FileSpec, folder: string): Promise<Buffer> {
  if (spec.hex !== undefined) return Buffer.from(spec.hex.replace(/\s/g, ''), 'hex')
  if (spec.base64 !== undefined) return Buffer.from(spec.base64, 'base64')
  if (spec.text !== undefined) return Buffer.from(spec.text)
  if (spec.format === 'avro') return avroBytes(spec)
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

/** The schema as it stands in the case: made a type first, it would lose what avsc does not know of it. */
async function avroBytes({ schema, rows = [], codec = 'null' }: FileSpec): Promise<Buffer> {
  const encoder = new streams.BlockEncoder(schema as never, {
    codec,
    codecs: { ...streams.BlockEncoder.defaultCodecs(), zstandard: zstdCompress },
    writeHeader: true,
  })
  for (const row of rows) encoder.write(row)
  encoder.end()
  const parts: Buffer[] = []
  for await (const part of encoder) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
