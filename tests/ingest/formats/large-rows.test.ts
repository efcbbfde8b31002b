import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { avroFile, avroLong } from '../../support/avro.ts'
import { type InProcess, startInProcess } from '../../support/in-process.ts'

let service: InProcess
let tables = 0

beforeAll(async () => {
  service = await startInProcess()
})
afterAll(() => service[Symbol.asyncDispose]())

const MANY = 4_000_001
const LARGE = 64 * 1024 * 1024

/** Two rows, of which the second is what matters. */
function avro(type: unknown, value: Buffer, first: Buffer): Buffer {
  const fields = [
    { name: 'id', type: 'long' },
    { name: 'valor', type },
  ]
  const bytes = Buffer.concat([avroLong(1), first, avroLong(2), value])
  return avroFile({ type: 'record', name: 'r', fields }, [{ rows: 2, bytes }], { codec: 'deflate' })
}

const ints = (count: number) => Buffer.concat([avroLong(count), Buffer.alloc(count), avroLong(0)])

describe('a row that would take gigabytes is refused by its number', () => {
  test.each<[string, string, () => Buffer]>([
    [
      'NDJSON with millions of objects',
      'more than 4000000 values',
      () => Buffer.from(`{"id":1,"valor":[]}\n{"id":2,"valor":[${'{},'.repeat(MANY)}1]}\n`),
    ],
    [
      'avro with millions of items',
      'more than 4000000 values',
      () => avro({ type: 'array', items: 'int' }, ints(MANY), avroLong(0)),
    ],
    [
      'avro with a text of more than 64 MB',
      'more than 67108864 bytes',
      () => avro('string', Buffer.concat([avroLong(LARGE), Buffer.alloc(LARGE, 'x')]), avroLong(0)),
    ],
  ])('%s', async (_, found, content) => {
    const { job } = await load(content(), 'jsonb')
    expect(job).toMatchObject({
      status: 'erro',
      error: { code: 'file_too_large', row: 2, detail: expect.stringContaining(`found ${found}`) },
      putBack: [],
    })
  })
})

test('a long text in NDJSON is loaded, whatever stands in it', async () => {
  const text = ',[{\\"'.repeat(2_000_000)
  const { job, name } = await load(Buffer.from(`{"id":1,"valor":"${text}"}\n`), 'text')
  expect(job).toMatchObject({ status: 'completo', inserted: 1 })
  const [row] =
    await service.sql`select length(valor) as length, right(valor, 4) as last from ${service.sql(name)}`
  expect(row).toEqual({ length: 8_000_000, last: ',[{"' })
})

async function load(content: Buffer, type: string) {
  const name = `larga${tables++}`
  const figura = service.figura(name, { id: 'bigint', valor: type })
  return { name, job: await service.load(figura, service.put(name, content)) }
}
