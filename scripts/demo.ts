import { join } from 'node:path'
import postgres from 'postgres'
import { createBucket } from './bucket.ts'
import { freePort, startChild } from './child.ts'
import { jobLog, queueReport, someRows } from './demo-report.ts'
import { runDemo, type Stage } from './demo-stage.ts'
import { type Embedded, startEmbedded } from './embedded.ts'
import { type JobStatus, read } from './follow.ts'
import { type Service, startService } from './service.ts'
import { amount } from './steps.ts'
import type { Supplier } from './supplier.ts'
import { changedSuppliers, suppliers, toJson } from './suppliers.ts'

// The whole way of the data, on this machine: two exports, from JSON to the table. See ./scripts/demo.

const SEED = 2026
const COUNT = 12_000
/** The first source of figuras/fornecedores.yaml. */
const BUCKET = 'exportacoes'
/** Small, so that even this list is cut into pieces that all threads work on. */
const ROWS_PER_GROUP = 2048
const THREADS = 2
const POLL_MS = 100

type System = { stage: Stage; embedded: Embedded; service: Service; sql: postgres.Sql }

await runDemo(async (stage) => {
  const system = await start(stage)
  const before = suppliers({ count: COUNT, seed: SEED })
  stage.say(`\nFirst export: ${amount(COUNT)} suppliers, none of them in the table yet`)
  await exportList(system, 'lista_fornecedores.json', before)
  await expectStats(system, { read: COUNT, inserted: COUNT, updated: 0, unchanged: 0 })
  await expectTable(system, before)
  stage.say(await someRows(system.sql))

  const { list, changes } = changedSuppliers(before, SEED)
  const { inserted, updated, unchanged } = changes
  stage.say(
    `\nSecond export: ${amount(inserted)} new, ${amount(updated)} changed, ${amount(unchanged)} equal`,
  )
  await exportList(system, 'lista_fornecedores_2.json', list)
  const last = await expectStats(system, { read: list.length, ...changes })
  await expectTable(system, list)

  stage.say('\nWhat became of the second job: GET /fornecedores/_bulk/{id}/log')
  stage.say(await jobLog(system.service.url, last.id))
  stage.say('\nWhat an operator sees in NATS')
  stage.say(await queueReport(system.embedded.nats.url))
  stage.say('')
})

async function start(stage: Stage): Promise<System> {
  const embedded = await stage.start('PostgreSQL, NATS and a bucket, on free ports', () =>
    startEmbedded({ dir: stage.dir, persistent: false }),
  )
  await createBucket(embedded.bucket, BUCKET)
  const port = await freePort()
  const service = await stage.start(`The service: API, and a worker with ${THREADS} threads`, () =>
    startService(embedded, {
      dir: stage.dir,
      port,
      threads: THREADS,
      env: { CHUNK_ROWS: String(ROWS_PER_GROUP) },
    }),
  )
  const sql = postgres(embedded.postgres.url, { max: 1, onnotice: () => {} })
  stage.undo(() => sql.end({ timeout: 1 }))
  return { stage, embedded, service, sql }
}

/** Runs the exporter as a user does: a process of its own, told everything by options and environment. */
async function exportList(
  { stage, embedded, service }: System,
  name: string,
  list: Supplier[],
): Promise<void> {
  const file = join(stage.dir, name)
  await Bun.write(file, toJson(list))
  const place = ['fornecedores', '--api', service.url, '--bucket', BUCKET]
  const pace = ['--rows-per-group', String(ROWS_PER_GROUP), '--poll-ms', String(POLL_MS)]
  const shown = [`bun scripts/exporta.ts ${file}`, place.join(' '), pace.join(' ')]
  stage.say(`  $ ${shown.join(' \\\n      ')}`)
  const { endpoint, region, accessKeyId, secretAccessKey } = embedded.bucket
  const exporter = startChild({
    command: [process.execPath, join(import.meta.dir, 'exporta.ts'), file, ...place, ...pace],
    signal: 'TERM',
    env: {
      ...process.env,
      S3_ENDPOINT: endpoint,
      S3_REGION: region,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
      S3_SESSION_TOKEN: undefined,
    },
  })
  stage.undo(() => exporter.stop())
  const crashed = service.exited.then((code) => {
    throw new Error(`The service ended by itself, with code ${code}.`)
  })
  const code = await Promise.race([exporter.exited, crashed])
  if (code !== 0) throw new Error(`The exporter ended with code ${code}; it says why above.`)
}

/** The newest job, when its statistics are those that were told beforehand. */
async function expectStats(
  { service }: System,
  expected: Record<'read' | 'inserted' | 'updated' | 'unchanged', number>,
): Promise<JobStatus> {
  const { jobs } = await read<{ jobs: JobStatus[] }>(service.url, '/fornecedores/_bulk?limit=1')
  const job = jobs[0]
  if (!job) throw new Error('GET /fornecedores/_bulk: found no job, expected the one that was sent.')
  for (const name of ['read', 'inserted', 'updated', 'unchanged'] as const) {
    const found = job.stats[name]
    if (found !== expected[name])
      throw new Error(`stats.${name}: found ${found}, expected ${expected[name]}.`)
  }
  return job
}

/** Counts and sums on both sides: nothing was lost on the way, and no amount was rounded. */
async function expectTable({ stage, sql }: System, list: Supplier[]): Promise<void> {
  const [found] = await sql<{ rows: string; total: string; tags: string; contacts: string }[]>`
    select count(*) as rows, sum(limite_credito) as total, sum(cardinality(tags)) as tags,
      sum(jsonb_array_length(contatos)) as contacts
    from cadastro.fornecedores`
  const cents = list.reduce((sum, one) => sum + BigInt(Math.round(Number(one.limite_credito) * 100)), 0n)
  const expected = {
    rows: String(list.length),
    total: `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`,
    tags: String(list.reduce((sum, one) => sum + (one.tags?.length ?? 0), 0)),
    contacts: String(list.reduce((sum, one) => sum + (one.contatos?.length ?? 0), 0)),
  }
  if (!Bun.deepEquals({ ...found }, expected)) {
    throw new Error(
      `cadastro.fornecedores: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}.`,
    )
  }
  stage.say(
    `  checked: the table has ${amount(list.length)} rows and ${expected.total} of credit, as the list`,
  )
}
