import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, startChild, untilReady } from '../../scripts/child.ts'
import { freshFolder } from '../support/servers.ts'

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
