import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startRig, type Rig } from '../support/rig.ts'
import { until } from '../support/service.ts'

const ROWS = 300_000
/** Every so many rows one breaks a rule. */
const EACH = 1000

let rig: Rig
beforeAll(async () => {
  const env = { CHUNK_ROWS: '20480', FIRST_LOAD_ROWS: '0', LEASE_SECONDS: '2', WORKER_THREADS: '1' }
  rig = await startRig({ env })
})
afterAll(() => rig[Symbol.asyncDispose]())

test('rows that were left out are told once each, though the worker is killed between chunks', async () => {
  const name = figura()
  const nome = `case when i % ${EACH} = 0 then 'ruim' else 'nome' end as nome`
  const select = `select i as id, ${nome} from range(${ROWS}) t(i)`
  const { url } = await rig.putFile(name, select, { rowGroupRows: 20_480 })
  const { service, sql } = rig
  const accepted = await service.put(`/${name}/_bulk`, { url })
  const statusUrl = String(accepted.body.status_url)
  const id = String(accepted.body.id)
  await until('chunks with rejects are marked, and others are not', async () => {
    const [job] = await sql`select rows_rejected, chunks_done, chunks_total from bulk.job where id = ${id}`
    return job && job.rows_rejected > 0 && job.chunks_done < job.chunks_total ? true : undefined
  })
  const worker = service.lines.findLast((line) => line.message === 'worker threads are ready')
  process.kill(Number(worker?.pid), 'SIGKILL')
  await service.said('the worker process ended; it is started again')
  const [stopped] = await sql`select chunks_done, chunks_total, status from bulk.job where id = ${id}`
  expect(stopped?.status).toBe('processando')
  expect(stopped?.chunks_done).toBeLessThan(stopped?.chunks_total)

  const job = await service.ended(statusUrl)
  const rejected = ROWS / EACH
  expect(job).toMatchObject({
    status: 'completo',
    stats: { read: ROWS, rejected, staged: ROWS - rejected, inserted: ROWS - rejected },
    rejects: { count: rejected, by: [{ column: 'nome', rule: 'enum', count: rejected }] },
  })
  const { body } = await service.get(`/${name}/_bulk/${id}/rejects?limit=1000`)
  const rows = Object(body.rejects).map(({ row }: { row: number }) => row)
  expect(rows).toEqual(Array.from({ length: rejected }, (_, no) => no * EACH + 1))
  const [table] = await sql`
    select count(*)::int as rows, count(*) filter (where nome = 'ruim')::int as bad from ${sql(name)}`
  expect(table).toEqual({ rows: ROWS - rejected, bad: 0 })
}, 90_000)

/** A figura of its own that leaves rows out; gives its name. */
function figura(): string {
  const name = `morta_${crypto.randomUUID().slice(0, 8)}`
  const columns = `  id: { type: bigint }\n  nome: { type: text, enum: [nome] }\n`
  const head = `description: ${name}\ntable: public.${name}\nkey: [id]\ncolumns:\n${columns}`
  const tail = `rejects: { max_percent: 1 }\nsources: ['${rig.bucket.url('')}']\n`
  writeFileSync(join(rig.figuras, `${name}.yaml`), head + tail)
  return name
}
