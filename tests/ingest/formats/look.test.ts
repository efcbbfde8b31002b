import { afterAll, beforeAll, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { type Duckdb, openDuckdb } from '../../../src/db/duckdb.ts'
import { lookAt } from '../../../src/ingest/look.ts'
import { serveFile } from '../../source/file-server.ts'
import { avroFile, avroRows } from '../../support/avro.ts'
import { type InProcess, startInProcess } from '../../support/in-process.ts'

let service: InProcess
let duckdb: Duckdb

beforeAll(async () => {
  service = await startInProcess()
  duckdb = await openDuckdb({ workDir: service.config.workDir, memoryBytes: 64 * 1024 * 1024 })
})
afterAll(async () => {
  await duckdb.close()
  await service[Symbol.asyncDispose]()
})

/** Looks at a file as a request with its address does. */
async function look(content: string | Uint8Array, limits = {}): Promise<void> {
  await using server = await serveFile(Buffer.from(content))
  const sources = [`${server.origin}/`]
  const figura = { ...service.figura('olhar', { id: 'bigint', nome: 'text' }), sources, limits }
  const looked = { url: `${server.origin}/um`, figura, sha256: null, etag: null, mode: null }
  const alone = <T>(work: () => Promise<T>) => work()
  await lookAt(looked, { config: service.config, duckdb, alone }, new AbortController().signal)
}

const schema = (name: string) => ({
  type: 'record',
  name: 'r',
  fields: [
    { name: 'id', type: 'long' },
    { name, type: 'int' },
  ],
})

test('a file that fits is accepted, whatever its format', async () => {
  await look('id,nome\n1,a\n')
  await look(gzipSync('{"id":1,"nome":"a"}\n'))
  await look(avroFile(schema('x'), avroRows(schema('x'), [{ id: 1, x: 1 }])))
})

test.each<[string, string | Uint8Array, string]>([
  ['a CSV without a column', 'nome\na\n', 'schema_differs'],
  ['NDJSON without a column', '{"nome":"a"}\n', 'schema_differs'],
  ['avro with a column of another type', avroFile(schema('nome'), []), 'schema_differs'],
  ['a CSV with a row too short', 'id,nome\n1\n', 'file_corrupt'],
  ['a page of HTML', '<html>', 'file_not_known'],
])('%s is refused before there is a job', async (_, content, code) => {
  await expect(look(content)).rejects.toMatchObject({ code })
})

test('too many rows are refused before there is a job, where the file is small', async () => {
  await expect(look('id,nome\n1,a\n2,b\n', { maxRows: 1 })).rejects.toMatchObject({ code: 'file_too_large' })
})
