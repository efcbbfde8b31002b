import { expect, test } from 'bun:test'
import type { Task } from '../../src/job.ts'
import { createLog } from '../../src/log.ts'
import { keepConnected, type Link } from '../../src/queue/connection.ts'
import { publishTask } from '../../src/queue/publish.ts'
import { openQueue } from '../../src/queue/stream.ts'
import { startSweep, type TakeStalled } from '../../src/queue/sweep.ts'
import { startNats } from '../../scripts/nats.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { freshFolder, freshStream, servers } from '../support/servers.ts'
import { until } from '../support/service.ts'
import { closeAfterEach, closing, connected, counted, DONE, doorbell, log, named, work } from './rig.ts'

closeAfterEach()

test('a server that lost its store comes back, and the sweeper rings for every job that stood in it', async () => {
  using folder = freshFolder()
  let nats = await startNats({ dir: `${folder.path}/a` })
  const queue = await connected(freshStream(), nats.url)
  await publishTask(queue, doorbell('lost'))
  await nats.kill()
  await until('the loss is seen', async () => (queue.link() ? undefined : true))
  nats = await startNats({ dir: `${folder.path}/b`, port: nats.port })
  closing.push(() => nats.stop())

  const seen: Task[] = []
  work(queue, 1, async (task) => {
    seen.push(task)
    return DONE
  })
  const stalled = [{ id: named('lost'), figura: 'f', ring: 1 }]
  const sweep = startSweep(queue, {
    everyMs: 3_600_000,
    leaseMs: 1000,
    take: async () => stalled.splice(0),
    log,
  })
  closing.push(sweep.stop)
  await until('it is run', async () => seen[0])
  expect(seen).toEqual([{ ...doorbell('lost'), ring: 1 }])
})

test('a server that refuses the password is tried again, at the start and later, until it takes it', async () => {
  using folder = freshFolder()
  const start = (token: string, port?: number) => startNats({ dir: folder.path, port, token })
  let nats = await start('other')
  const lines: string[] = []
  const open = {
    stream: freshStream(),
    name: 'test',
    ackWaitMs: 30_000,
    eventsDays: 7,
    log: createLog({}, (line) => lines.push(line)),
  }
  const queue = openQueue({ url: nats.url.replace('//', '//token@'), ...open })
  closing.push(() => queue.close())
  const refused = () => lines.filter((line) => line.includes('cannot connect to NATS; trying again')).length
  for (const times of [1, 2]) {
    await until('it is refused', async () => (refused() >= times ? true : undefined))
    await nats.kill()
    nats = await start('token', nats.port)
    await until('it is connected', async () => queue.link())
    if (times === 2) break
    await nats.kill()
    nats = await start('other', nats.port)
  }
  expect(await publishTask(queue, doorbell('j'))).toBe(true)
  await nats.stop()
})

test('a connection that is dead and not closed is noticed within 30 s, and used again when it lives', async () => {
  await using proxy = await startFaultProxy(servers.natsUrl)
  const queue = await connected(freshStream(), proxy.by(servers.natsUrl))
  const started = performance.now()
  proxy.mute('both')
  await until('it is noticed', async () => (queue.link() ? undefined : true))
  expect((performance.now() - started) / 1000).toBeLessThan(30)
  proxy.hear()
  await until('it is connected', async () => queue.link())
  expect(await publishTask(queue, doorbell('j'))).toBe(true)
}, 60_000)

test('after an outage jobs are rung for however far ahead their next ring lies', async () => {
  const queue = await connected()
  const asked: number[] = []
  const take = async ({ overdueMs }: { overdueMs: number }) => {
    asked.push(overdueMs)
    return []
  }
  const sweep = startSweep(queue, { everyMs: 3_600_000, leaseMs: 1000, take, log })
  closing.push(sweep.stop)
  await queue.link()?.nc.reconnect()
  const ten = 10 * 60 * 1000
  await until('all are asked for', async () => asked.find((overdueMs) => overdueMs <= -ten))
})

test('after an outage every job is rung for once, however many there are', async () => {
  const queue = await connected()
  const ids = Array.from({ length: 2500 }, (_, at) => named(`job-${at}`)).sort()
  const takes: number[] = []
  const sweep = startSweep(queue, { everyMs: 3_600_000, leaseMs: 1000, take: takeFrom(ids, takes), log })
  closing.push(sweep.stop)
  await queue.link()?.nc.reconnect()
  await until('all are rung for', async () => ((await counted(queue)) === ids.length ? true : undefined))
  await sweep.stop()
  expect(takes).toEqual([1000, 1000, 500])
})

test('a round after an outage that fails goes on where it stood, and what was not sent is told', async () => {
  const queue = await connected()
  const lines: string[] = []
  const ids = Array.from({ length: 1500 }, (_, at) => named(`job-${at}`)).sort()
  const takes: number[] = []
  const all = takeFrom(ids, takes)
  let failures = 0
  const take: TakeStalled = async (options) => {
    if (takes.length === 1 && failures++ === 0) throw new Error('the database is away')
    const jobs = await all(options)
    if (takes.length === 1) jobs[0] = { id: named('no'), figura: 'f g', ring: 1 }
    return jobs
  }
  const sweepLog = createLog({}, (line) => lines.push(line))
  const sweep = startSweep(queue, { everyMs: 50, leaseMs: 1000, take, log: sweepLog })
  closing.push(sweep.stop)
  await queue.link()?.nc.reconnect()
  await until('all are rung for', async () => ((await counted(queue)) === ids.length - 1 ? true : undefined))
  await sweep.stop()
  expect(takes).toEqual([1000, 500])
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(told.find(({ failed }) => failed === 1)).toMatchObject({
    level: 'warn',
    sent: 999,
    waiting: 0,
    working: 0,
  })
  expect(told.find(({ failed }) => failed === 0)).toMatchObject({ level: 'info', sent: 500, waiting: 999 })
})

test('however often the connection comes back while JetStream is away, it is told once that it is there', async () => {
  const lost: Link[] = []
  let prepares = 0
  let told = 0
  let away = true
  const connection = keepConnected({
    url: servers.natsUrl,
    name: 'test',
    log,
    prepare: async (link) => {
      lost.push(link)
      prepares++
      if (away) throw new Error('JetStream is away')
    },
    ready: () => void told++,
  })
  closing.push(connection.close)
  for (const times of [1, 2, 3]) {
    await until('it is tried', async () => (prepares >= times ? true : undefined))
    if (times < 3) await lost[0]?.nc.reconnect()
  }
  expect(connection.link()).toBeUndefined()
  away = false
  const before = prepares
  await until('it is there', async () => connection.link())
  // an older chain would try, and tell, in the time in which the newest one tries again
  await Bun.sleep(2500)
  expect({ told, tries: prepares - before }).toEqual({ told: 1, tries: 1 })
})

/** A store of jobs that are not due: only a round over all takes them. Notes how many it gave. */
function takeFrom(ids: string[], takes: number[]): TakeStalled {
  return async ({ after, limit }) => {
    if (after === undefined) return []
    const taken = ids.filter((id) => id > after).slice(0, limit)
    takes.push(taken.length)
    return taken.map((id) => ({ id, figura: 'f', ring: 1 }))
  }
}
