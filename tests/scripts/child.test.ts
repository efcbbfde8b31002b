import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, startChild, untilReady } from '../../scripts/child.ts'
import { freshDatabase, freshFolder, freshStream } from '../support/servers.ts'
import { until } from '../support/service.ts'

const scripts = join(import.meta.dir, '../../scripts')

test('a child ends when its parent is killed', async () => {
  const parent = Bun.spawn(
    [
      process.execPath,
      '-e',
      `const { startChild } = await import('${scripts}/child.ts')
       console.log(startChild({ command: ['sleep', '600'], signal: 'TERM' }).pid)`,
    ],
    { stdout: 'pipe' },
  )
  const { value } = await parent.stdout.getReader().read()
  const pid = Number(new TextDecoder().decode(value))
  expect(runs(pid)).toBe(true)
  parent.kill('SIGKILL')
  while (runs(pid)) await Bun.sleep(5)
})

test('a service that a test has started goes at once when the test is ended, with the processes below it', async () => {
  await using database = await freshDatabase()
  const parent = Bun.spawn(
    [
      process.execPath,
      '-e',
      `const { startService } = await import('${scripts}/../tests/support/service.ts')
       const service = await startService(${JSON.stringify({ databaseUrl: database.url, stream: freshStream() })})
       console.log([service.pid, (await service.said('worker threads are ready')).pid].join())
       await Bun.sleep(600_000)`,
    ],
    { stdout: 'pipe' },
  )
  const { value } = await parent.stdout.getReader().read()
  const pids = new TextDecoder().decode(value).split(',').map(Number)
  expect(pids.map(runs)).toEqual([true, true])
  const since = performance.now()
  parent.kill('SIGTERM')
  await until('they are gone', async () => (pids.some(runs) ? undefined : true), 30_000)
  expect(performance.now() - since).toBeLessThan(2000)
})

test('stop() waits for the end and the code is the one of the process itself', async () => {
  using folder = freshFolder()
  const child = await trapping(folder, 'trap "exit 7" TERM')
  await child.stop()
  expect(await child.exited).toBe(7)
})

test('a process that does not stop is killed', async () => {
  using folder = freshFolder()
  const child = await trapping(folder, 'trap "" TERM')
  await child.stop(100)
  expect(runs(child.pid)).toBe(false)
})

/** A process that has set its trap. */
async function trapping(folder: { path: string }, trap: string): Promise<Child> {
  const logFile = join(folder.path, 'log')
  const command = ['sh', '-c', `${trap}; echo set; while :; do sleep 0.01; done`]
  const child = startChild({ command, signal: 'TERM', logFile })
  await untilReady('sh', child, logFile, async () => readFileSync(logFile, 'utf8').includes('set'))
  return child
}

/** A zombie, which nobody has waited for yet, has ended. */
function runs(pid: number): boolean {
  const { stdout } = Bun.spawnSync(['ps', '-o', 'stat=', '-p', String(pid)])
  return /^[^Z\s]/.test(stdout.toString())
}
