import { expect, test } from 'bun:test'
import type { DeadJob } from '../../src/db/dead-letters.ts'
import { sendDeadLetters } from '../../src/queue/dead-letters.ts'
import { closeAfterEach, connected, named } from './rig.ts'

closeAfterEach()

test('a letter that NATS refuses holds back none behind it, and the round tells of it', async () => {
  const queue = await connected()
  const most = queue.link()?.nc.info?.max_payload ?? Infinity
  const jobs = [dead('small'), dead('large', 'x'.repeat(most)), dead('behind'), dead('last')]
  const told: string[] = []
  const sent = sendDeadLetters(queue, {
    find: async () => jobs,
    told: async (job) => void told.push(job),
  })
  await expect(sent).rejects.toThrow('payload')
  expect(told.sort()).toEqual(['small', 'behind', 'last'].map(named).sort())
  const info = await queue.link()?.jsm.streams.info(queue.names.deadLetters, { subjects_filter: '>' })
  expect(Object.keys(info?.state.subjects ?? {}).sort()).toEqual(told.map(subjectOf).sort())

  function subjectOf(id: string): string {
    return queue.names.dead({ figura: 'f', id })
  }
})

test('a job that cannot be marked as told holds back none either, and is no second message later', async () => {
  const queue = await connected()
  const jobs = [dead('one'), dead('two')]
  const told: string[] = []
  let away = true
  const letters = {
    find: async () => jobs.filter(({ id }) => !told.includes(id)),
    told: async (job: string) => {
      if (away && job === named('one')) throw new Error('the database is away')
      told.push(job)
    },
  }
  await expect(sendDeadLetters(queue, letters)).rejects.toThrow('the database is away')
  expect(told).toEqual([named('two')])
  away = false
  await sendDeadLetters(queue, letters)
  expect(told).toEqual(['two', 'one'].map(named))
  const info = await queue.link()?.jsm.streams.info(queue.names.deadLetters)
  expect(info?.state.messages).toBe(2)
})

function dead(name: string, detail = 'it was tried too often'): DeadJob {
  const error = {
    type: '/problems/internal',
    title: 'A fault',
    status: 500,
    code: 'internal' as const,
    detail,
  }
  const [createdAt, finishedAt] = [new Date(0), new Date(1000)]
  return { id: named(name), figura: 'f', url: 's3://a/b', attempts: 5, createdAt, finishedAt, error }
}
