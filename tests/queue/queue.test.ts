import { describe, expect, test } from 'bun:test'
import type { Task } from '../../src/job.ts'
import { createLog } from '../../src/log.ts'
import { consume } from '../../src/queue/consume.ts'
import { queueState, readDepth } from '../../src/queue/depth.ts'
import { publishEvent, publishTask } from '../../src/queue/publish.ts'
import { until } from '../support/service.ts'
import { closeAfterEach, closing, connected, count, DONE, doorbell, named, work } from './rig.ts'

closeAfterEach()

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
    const ids = Array.from({ length: 40 }, (_, at) => named(`job-${at}`))
    await Promise.all(ids.map((job) => publishTask(queue, { ...doorbell('any'), job })))
    await until('all are run', async () => (seen.length >= ids.length ? true : undefined))
    expect(seen.sort()).toEqual(ids.sort())
    await until('the queue is empty', async () => ((await count(queue)) === 0 ? true : undefined))
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
    expect(seen).toEqual(['again', 'other', 'again'].map(named))
  })

  test('that came twice without an end runs beside new ones, and beside none of its kind', async () => {
    const queue = await connected()
    const seen = new Map<string, number>()
    const running = new Set<string>()
    const beside: string[][] = []
    work(queue, 3, async ({ job }) => {
      const times = (seen.get(job) ?? 0) + 1
      seen.set(job, times)
      if (job !== named('new') && times < 3) return { kind: 'again', delayMs: 1, reason: 'test' }
      beside.push([...running])
      running.add(job)
      await Bun.sleep(300)
      running.delete(job)
      return DONE
    })
    await publishTask(queue, doorbell('one'))
    await publishTask(queue, doorbell('other'))
    await until('one is run', async () => beside[0])
    await publishTask(queue, doorbell('new'))
    await until('all are run', async () => (beside.length === 3 && running.size === 0 ? true : undefined))
    expect([...seen.values()]).toEqual([3, 3, 1])
    // the first of the two; the new one, beside it; the second, when the first has ended
    expect(beside.map((others) => others.filter((job) => job !== named('new')).length)).toEqual([0, 1, 0])
  })

  test('that came twice without an end and waits for one of its kind leaves its thread to others', async () => {
    const queue = await connected()
    const seen = new Map<string, number>()
    const ended: string[] = []
    const first = Promise.withResolvers<void>()
    let alone = 0
    work(queue, 2, async ({ job }) => {
      const times = (seen.get(job) ?? 0) + 1
      seen.set(job, times)
      if (job !== named('new') && times < 3) return { kind: 'again', delayMs: 1, reason: 'test' }
      if (job !== named('new') && alone++ === 0) await first.promise
      ended.push(job)
      return DONE
    })
    for (const job of ['one', 'other', 'third']) await publishTask(queue, doorbell(job))
    await until('one is run', async () => alone || undefined)
    await Bun.sleep(200)
    await publishTask(queue, doorbell('new'))
    await until('the new one is run', async () => ended[0])
    expect(ended).toEqual([named('new')])
    first.resolve()
    await until('all are run', async () => (ended.length === 4 ? true : undefined))
  })

  test('that is put back for no whole number of milliseconds does not come at once', async () => {
    const queue = await connected()
    const seen: string[] = []
    work(queue, 1, async (task) => {
      seen.push(task.job)
      return task.job === named('late') ? { kind: 'again', delayMs: 25_000_000 / 7, reason: 'test' } : DONE
    })
    await publishTask(queue, doorbell('late'))
    for (const name of ['a', 'b', 'c']) {
      await publishTask(queue, doorbell(name))
      await until('it is run', async () => (seen.includes(named(name)) ? true : undefined))
    }
    expect(seen).toEqual(['late', 'a', 'b', 'c'].map(named))
  })

  test('whose run throws is put back, and the consumer goes on', async () => {
    const queue = await connected()
    const seen: string[] = []
    work(queue, 1, async (task) => {
      seen.push(task.job)
      if (task.job === named('bad')) throw new Error('unforeseen')
      return DONE
    })
    await publishTask(queue, doorbell('bad'))
    await publishTask(queue, doorbell('good'))
    await until('the good one is run', async () => (seen.includes(named('good')) ? true : undefined))
    expect(seen).toEqual(['bad', 'good'].map(named))
  })

  test('releases the tasks that its outcome names', async () => {
    const queue = await connected()
    const chunk: Task = { kind: 'chunk', figura: 'f', job: named('j'), ring: 0, stage: 1, chunk: 7 }
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
    expect(ran).toEqual([`busy ${named('long')}`, `idle ${named('short')}`])
  })

  test('is rung for once, however often the same ring is published; the next ring comes through', async () => {
    const queue = await connected()
    await publishTask(queue, doorbell('twice'))
    await publishTask(queue, doorbell('twice'))
    expect(await count(queue)).toBe(1)
    await publishTask(queue, { ...doorbell('twice'), ring: 1 })
    expect(await count(queue)).toBe(2)
  })
})

test('a message that is no task is dropped, and its content is not logged', async () => {
  const lines: string[] = []
  const queue = await connected()
  const seen: string[] = []
  const run = async (task: Task) => {
    seen.push(task.job)
    return DONE
  }
  const consumption = consume(queue, { slots: 1, run, log: createLog({}, (line) => lines.push(line)) })
  closing.push(consumption.stop)
  const foreign = JSON.stringify({ ...doorbell('j'), job: 'secret' })
  await queue.link()?.js.publish(queue.names.task(doorbell('j')), foreign)
  await publishTask(queue, doorbell('good'))
  await until('the queue is empty', async () => ((await count(queue)) === 0 ? true : undefined))
  expect(seen).toEqual([named('good')])
  const told = lines.filter((line) => line.includes('is no task'))
  expect(told).toHaveLength(1)
  expect(JSON.parse(told[0] ?? '')).toMatchObject({
    subject: queue.names.task(doorbell('j')),
    bytes: foreign.length,
  })
  expect(lines.join()).not.toContain('secret')
})

test('the state of the queue tells what waits and what is in work', async () => {
  const queue = await connected()
  for (const name of ['a', 'b', 'c']) await publishTask(queue, doorbell(name))
  expect(await queueState(queue)).toBe('ok, 3 waiting, 0 in work')
  const release = Promise.withResolvers<void>()
  work(queue, 2, async () => {
    await release.promise
    return DONE
  })
  await until('two are in work', async () => ((await readDepth(queue)).working === 2 ? true : undefined))
  expect(await queueState(queue)).toBe('ok, 1 waiting, 2 in work')
  release.resolve()
  await queue.close()
  expect(await queueState(queue)).toStartWith('not connected')
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
  // the days that the rig asks for
  expect(events?.config.max_age).toBe(7 * 86_400 * 1e9)
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
  expect(seen).toEqual([named('after')])
})
