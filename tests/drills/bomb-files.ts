import { writeFileSync } from 'node:fs'
import { createGzip, deflateRawSync } from 'node:zlib'
import { avroFile } from '../support/avro.ts'
import { writeParquet } from '../support/parquet.ts'

/** A file that is small, and is not when it is read. */
export type Bomb = {
  name: string
  ending: string
  /** It may be loaded as well, as what it is: a text of a few megabytes, or one row of the columns that are known. */
  harmless?: boolean
  /** Who reads it crashes. */
  kills?: boolean
  /** `whole`: of full size; else it takes seconds less to write, and is too much all the same. */
  write(path: string, whole: boolean): Promise<void> | void
}

const MB = 1_000_000

const PERSON = {
  type: 'record',
  name: 'pessoa',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'carga', type: 'int' },
    { name: 'nome', type: 'string' },
  ],
}

/** Those that are tried with all tests come first. */
export const BOMBS: Bomb[] = [
  {
    name: 'parquet of few bytes and many rows',
    ending: '.parquet',
    write: (path, whole) =>
      writeParquet(
        path,
        `select 1::bigint as id, 1::integer as carga, 'x' as nome from range(${whole ? 200 : 5} * ${MB})`,
        { rowGroupRows: 10 * MB },
      ),
  },
  {
    name: 'parquet of few bytes and many texts',
    ending: '.parquet',
    write: (path, whole) =>
      writeParquet(
        path,
        `select i as id, 1::integer as carga, repeat('x', 100000) as nome from range(${whole ? 200_000 : 15_000}) t(i)`,
        { rowGroupRows: 2048 },
      ),
  },
  {
    name: 'CSV of one line in gzip',
    ending: '.csv.gz',
    write: (path, whole) => writeGzip(path, 'id,carga,nome\n1,1,', 'x', whole ? 2000 : 150),
  },
  {
    name: 'avro of one block in deflate',
    ending: '.avro',
    write: (path) =>
      writeFileSync(
        path,
        avroFile(PERSON, [{ rows: 1, bytes: Buffer.alloc(300 * MB) }], {
          codec: 'deflate',
          pack: (bytes) => deflateRawSync(bytes),
        }),
      ),
  },
  {
    name: 'CSV of 100,000 columns',
    ending: '.csv',
    harmless: true,
    write: (path) => {
      const columns = Array.from({ length: 100_000 }, (_, no) => `c${no}`)
      writeFileSync(path, `id,carga,nome,${columns.join()}\n${Array(100_003).fill('1').join()}\n`)
    },
  },
  {
    name: 'a file that kills its reader',
    ending: '.parquet',
    kills: true,
    write: (path) => writeParquet(path, `select 1::bigint as id, 1::integer as carga, 'x' as nome`),
  },
  {
    name: 'CSV of short lines in gzip',
    ending: '.csv.gz',
    write: (path, whole) => writeGzip(path, 'id,carga,nome\n', '1,1,x\n', whole ? 2000 : 150),
  },
  {
    name: 'NDJSON of one value in gzip',
    ending: '.ndjson.gz',
    write: (path, whole) => writeGzip(path, '{"id":1,"carga":1,"nome":"', 'x', whole ? 2000 : 150),
  },
  {
    name: 'NDJSON of nested lists',
    ending: '.ndjson',
    harmless: true,
    write: (path) => writeFileSync(path, `{"id":1,"carga":1,"nome":${'['.repeat(MB)}${']'.repeat(MB)}}\n`),
  },
  {
    name: 'avro of a nested schema',
    ending: '.avro',
    write: (path) => writeFileSync(path, avroFile(nested(20_000), [])),
  },
  {
    name: 'NDJSON of 100,000 columns',
    ending: '.ndjson',
    write: (path) => {
      const columns = Array.from({ length: 100_000 }, (_, no) => `"c${no}":1`)
      writeFileSync(path, `{${columns.join()}}\n`)
    },
  },
]

/** Packs `unit` again and again, up to so many MB, behind a head. */
async function writeGzip(path: string, head: string, unit: string, megabytes: number): Promise<void> {
  const block = Buffer.from(unit.repeat(Math.floor(MB / unit.length)))
  const gzip = createGzip({ level: 9 })
  const out = Bun.file(path).writer()
  gzip.on('data', (data: Buffer) => void out.write(data))
  gzip.write(head)
  for (let done = 0; done < megabytes; done++)
    if (!gzip.write(block)) await new Promise((resolve) => gzip.once('drain', resolve))
  await new Promise<void>((resolve) => gzip.once('end', resolve).end())
  await out.end()
}

/** A record within a record, so many times. */
function nested(depth: number): unknown {
  let type: unknown = 'string'
  for (let at = 0; at < depth; at++) type = { type: 'array', items: type }
  return { ...PERSON, fields: [...PERSON.fields.slice(0, 2), { name: 'nome', type }] }
}
