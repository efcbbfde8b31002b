import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createLog } from '../../src/log.ts'
import { killAfterMs, within } from '../../src/worker/stop.ts'
import { superviseWorker } from '../../src/worker/supervise.ts'
import { until } from '../support/service.ts'

test('a worker process that does not stop is killed, and that is said', async () => {
  const lines: string[] = []
  const worker = superviseWorker(join(import.meta.dir, 'programs/deaf.ts'), {
    killAfterMs: 200,
    env: { PATH: process.env.PATH },
    log: createLog({}, (line) => void lines.push(line)),
  })
  await until('it is ready', async () => (worker.ready() ? true : undefined))
  await worker.stop()
  expect(lines.map((line) => JSON.parse(line).message)).toEqual([
    'the worker process did not stop in time; it is killed',
  ])
})

test('a worker is killed only after its drain and all other steps, within what compose.yaml grants', async () => {
  const [, granted] =
    /stop_grace_period: (\d+)s/.exec(await Bun.file(join(import.meta.dir, '../../compose.yaml')).text()) ?? []
  expect(killAfterMs(25_000)).toBeGreaterThan(25_000)
  expect(killAfterMs(25_000)).toBeLessThan(Number(granted) * 1000)
})

test('what never comes is waited for no longer than said, and what fails is not hidden', async () => {
  expect(await within(10, new Promise(() => {}))).toBe(false)
  expect(await within(10_000, Promise.resolve())).toBe(true)
  await expect(within(10_000, Promise.reject(new Error('it failed')))).rejects.toThrow('it failed')
})
