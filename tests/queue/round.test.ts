import { expect, test } from 'bun:test'
import { insertJob, saveContract, takeStalled } from '../../src/db/jobs.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { createLog } from '../../src/log.ts'
import { consume } from '../../src/queue/consume.ts'
import { openQueue } from '../../src/queue/stream.ts'
import { startSweep } from '../../src/queue/sweep.ts'
import { smallFigura } from '../support/figuras.ts'
import { freshDatabase, freshStream, servers } from '../support/servers.ts'
import { until } from '../support/service.ts'

const log = createLog({}, () => {})

test('a round takes each job once, however late or often rung, and puts none off for long', async () => {
  await using database = await freshDatabase()
  const sql = openPostgres(database.url, { max: 2, name: 'test' })
  const figura = smallFigura('f')
  await saveContract(sql, { hash: 'h', figura })
  const ids = Array.from({ length: 5 }, () => Bun.randomUUIDv7()).sort()
  for (const id of ids)
    await insertJob(sql, { id, figura: 'f', contract: 'h', url: 'https://a/b', sha256: null })
  // the last one waits for its turn; the first was rung often
  await sql`update bulk.job set ring_at = now() + interval '10 minutes' where id = ${ids[4] ?? ''}`
  await sql`update bulk.job set ring = 9 where id = ${ids[0] ?? ''}`

  const queue = openQueue({
    url: servers.natsUrl,
    stream: freshStream(),
    name: 'test',
    ackWaitMs: 30_000,
    eventsDays: 7,
    log,
  })
  const seen: string[] = []
  const run = async (task: { job: string }) => {
    seen.push(task.job)
    return { kind: 'done' as const, release: [] }
  }
  const consumption = consume(queue, { slots: 1, run, log })
  const takes: number[] = []
  const sweep = startSweep(queue, {
    everyMs: 3_600_000,
    leaseMs: 30_000,
    take: async (options) => {
      const jobs = await takeStalled(sql, { ...options, limit: options.after ? options.limit : 0 })
      takes.push(jobs.length)
      return jobs
    },
    log,
  })
  await until('all are run', async () => (seen.length >= ids.length ? true : undefined))
  await sweep.stop()
  await consumption.stop()
  expect([...seen].sort()).toEqual(ids)
  expect(takes).toEqual([5])

  const options = { overdueMs: -600_000, nextMs: 30_000, limit: 2 }
  const pages: string[][] = []
  for (let after = '00000000-0000-0000-0000-000000000000'; pages.length < 5;) {
    const page = (await takeStalled(sql, { ...options, after })).map(({ id }) => id).sort()
    pages.push(page)
    after = page.at(-1) ?? after
  }
  expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4), [], []])
  expect(await sql`select id from bulk.job where ring_at > now() + interval '30 seconds'`).toHaveLength(0)
  await queue.close()
  await sql.end()
})
