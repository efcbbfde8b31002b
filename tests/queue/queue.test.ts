import { afterEach, describe, expect, test } from 'bun:test'
import type { Outcome, Task } from '../../src/job.ts'
import { createLog } from '../../src/log.ts'
import { consume } from '../../src/queue/consume.ts'
import { publishEvent, publishTask } from '../../src/queue/publish.ts'
import { openQueue, type Queue } from '../../src/queue/stream.ts'
import { readDepth, startSweep } from '../../src/queue/sweep.ts'
import { startNats } from '../../scripts/nats.ts'
import { freshFolder, freshStream, servers } from '../support/servers.ts'
import { until } from '../support/service.ts'

const DONE: Outcome = { kind: 'done', release: [] }
const log = createLog({}, () => {})
const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('a task', () => {
  test('is run once, by one of all consumers, and leaves nothing in the queue', async () => {
    const queue = await connected()
    const seen: string[] = []
    const run = async (task: Task) => {
      seen.push(task.job)
      return DONE
    }
    work(queue, 2, run)
    work(await connected(queue.names.stream), 2, run)
    const ids = Array.from({ length: 40 }, (_, at) => `job-${at}`)
    await Promise.all(ids.map((id) => publishTask(queue, doorbell(id))))
    await until('all are run', async () => (seen.length >= ids.length ? true : undefined))
    expect(seen.sort()).toEqual(ids.sort())
    await until('the queue is empty', async () => ((await readDepth(queue)) === 0 ? true : undefined))
  })

  test('that is put back comes again after its delay', async () => {
    const queue = await connected()
    const seen: string[] = []
    work(queue, 1, async (task) => {
      seen.push(task.job)
      return seen.length === 1 ? { kind: 'again', delayMs: 300, reason: 'test' } : DONE
    })
    await publishTask(queue, doorbell('again'))
    await publishTask(queue, doorbell('other'))
    await until('it came twice', async () => seen[2])
    expect(seen).toEqual(['again', 'other', 'again'])
  })

  test('whose run throws is put back, and the consumer goes on', async () => {
    const queue = await connected()
    const seen: string[] = []
    work(queue, 1, async (task) => {
      seen.push(task.job)
      if (task.job === 'bad') throw new Error('unforeseen')
      return DONE
    })
    await publishTask(queue, doorbell('bad'))
    await publishTask(queue, doorbell('good'))
    await until('the good one is run', async () => (seen.includes('good') ? true : undefined))
    expect(seen).toEqual(['bad', 'good'])
  })

  test('releases the tasks that its outcome names', async () => {
    const queue = await connected()
    const chunk: Task = { kind: 'chunk', figura: 'f', job: 'j', ring: 0, stage: 1, chunk: 7 }
    const seen: Task[] = []
    work(queue, 1, async (task) => {
      seen.push(task)
      return task.kind === 'job' ? { kind: 'done', release: [chunk] } : DONE
    })
    await publishTask(queue, doorbell('j'))
    await until('the chunk is run', async () => seen[1])
    expect(seen).toEqual([doorbell('j'), chunk])
  })

  test('is not held by a consumer that is busy: an idle one gets it', async () => {
    const queue = await connected()
    const release = Promise.withResolvers<void>()
    const ran: string[] = []
    work(queue, 1, async (task) => {
      ran.push(`busy ${task.job}`)
      await release.promise
      return DONE
    })
    await publishTask(queue, doorbell('long'))
    await until('it is busy', async () => ran[0])
    await publishTask(queue, doorbell('short'))
    work(await connected(queue.names.stream), 1, async (task) => {
      ran.push(`idle ${task.job}`)
      return DONE
    })
    await until('the short one is run', async () => ran[1])
    release.resolve()
    expect(ran).toEqual(['busy long', 'idle short'])
  })

  test('is rung for once, however often the same ring is published; the next ring comes through', async () => {
    const queue = await connected()
    await publishTask(queue, doorbell('twice'))
    await publishTask(queue, doorbell('twice'))
    expect(await readDepth(queue)).toBe(1)
    await publishTask(queue, { ...doorbell('twice'), ring: 1 })
    expect(await readDepth(queue)).toBe(2)
  })
})

test('operators find the subjects of tasks by figura, and the history of events', async () => {
  const queue = await connected()
  await publishTask(queue, doorbell('j'))
  await publishEvent(queue, { figura: 'fornecedores', job: 'j', status: 'completo' })
  const prefix = queue.names.stream.toLowerCase()
  const jsm = queue.link()?.jsm
  const stream = await jsm?.streams.info(queue.names.stream, { subjects_filter: '>' })
  expect(stream?.state.subjects).toEqual({ [`${prefix}.job.f`]: 1 })
  expect(stream?.config.retention).toBe('workqueue')
  const events = await jsm?.streams.info(queue.names.events, { subjects_filter: '>' })
  expect(events?.state.subjects).toEqual({ [`${prefix}.event.fornecedores.completo`]: 1 })
  const stored = await jsm?.streams.getMessage(queue.names.events, { seq: 1 })
  expect(stored?.json<Record<string, unknown>>()).toMatchObject({
    figura: 'fornecedores',
    job: 'j',
    status: 'completo',
  })
})

test('a stream that was deleted is made anew, and work goes on', async () => {
  const queue = await connected()
  const seen: string[] = []
  work(queue, 1, async (task) => {
    seen.push(task.job)
    return DONE
  })
  await queue.link()?.jsm.streams.delete(queue.names.stream)
  await until('it is rung for', async () => publishTask(queue, doorbell('after')).catch(() => undefined))
  await until('it is run', async () => seen[0])
  expect(seen).toEqual(['after'])
})

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
  const stalled = [{ id: 'lost', figura: 'f', ring: 1 }]
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

function doorbell(job: string): Extract<Task, { kind: 'job' }> {
  return { kind: 'job', figura: 'f', job, ring: 0 }
}

async function connected(stream = freshStream(), url = servers.natsUrl): Promise<Queue> {
  const queue = openQueue({ url, stream, name: 'test', ackWaitMs: 30_000, log })
  closing.push(() => queue.close())
  await until('NATS is connected', async () => queue.link())
  return queue
}

function work(queue: Queue, slots: number, run: (task: Task) => Promise<Outcome>): void {
  const consumption = consume(queue, { slots, run, log })
  closing.push(consumption.stop)
}
