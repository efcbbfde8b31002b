import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startInProcess, type InProcess } from '../support/in-process.ts'

let service: InProcess
beforeAll(async () => {
  service = await startInProcess()
})
afterAll(() => service[Symbol.asyncDispose]())

/** Rows of one file: more bytes than come with the first request, so that nobody knows before how many they are. */
const ROWS = 30_000

describe('the rows of several files that are read as streams', () => {
  test.each([null, 'rows'] as const)('count together against max_rows (trial: %s)', async (dryRun) => {
    const name = `somadas_${dryRun}`
    const limited = (maxRows: number) => ({ ...figura(name), limits: { maxRows } })
    const asked = dryRun ? { dryRun } : {}
    const job = await service.load(limited(2 * ROWS - 1), files(name), asked)
    expect(job).toMatchObject({
      status: 'erro',
      error: {
        code: 'file_too_large',
        detail: expect.stringContaining(
          `The files: found ${2 * ROWS} rows, expected at most ${2 * ROWS - 1}`,
        ),
      },
      putBack: [],
    })
    expect(await rowsOf(name)).toBe(0)
    expect(await service.load(limited(2 * ROWS), files(name), asked)).toMatchObject({
      status: 'completo',
      read: 2 * ROWS,
    })
    expect(await rowsOf(name)).toBe(dryRun ? 0 : 2 * ROWS)
  })
})

function figura(name: string) {
  return service.figura(name, { id: 'bigint', nome: 'text' })
}

/** A CSV file and one of NDJSON. */
function files(name: string): string[] {
  const numbers = Array.from({ length: ROWS }, (_, no) => no)
  return [
    service.put(`${name}.csv`, `id,nome\n${numbers.map((no) => `${no},nome ${no}\n`).join('')}`),
    service.put(`${name}.ndjson`, numbers.map((no) => `{"id":${no + ROWS},"nome":"nome"}\n`).join('')),
  ]
}

async function rowsOf(name: string): Promise<number> {
  const [found] = await service.sql`select to_regclass(${`public.${name}`}) is not null as there`
  if (!found?.there) return 0
  const [row] = await service.sql`select count(*)::int as rows from ${service.sql(name)}`
  return row?.rows ?? -1
}
