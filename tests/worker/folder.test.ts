import { expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { createLog } from '../../src/log.ts'
import { keepFolders, makeOwnFolder, requireWorkDir } from '../../src/worker/folder.ts'
import { freshFolder, servers } from '../support/servers.ts'
import { until } from '../support/service.ts'

test('a worker has a folder of its own, named after its node and its process', () => {
  using folder = freshFolder()
  const [first, second] = [makeOwnFolder(folder.path, 'node/ä.1'), makeOwnFolder(folder.path, 'node-2')]
  expect(basename(first)).toMatch(new RegExp(`^worker-node___1-${process.pid}-[0-9a-f]{8}$`))
  expect(basename(second)).toStartWith(`worker-node-2-${process.pid}-`)
  expect(existsSync(first) && existsSync(second)).toBe(true)
})

test('what a worker fetches is for its own eyes: other users of the machine may not look into its folder', () => {
  using folder = freshFolder()
  expect((statSync(makeOwnFolder(folder.path, 'node')).mode & 0o777).toString(8)).toBe('700')
})

test('what a process of the same node left is cleared away, what belongs to another node is not', async () => {
  using folder = freshFolder()
  const gone = Bun.spawn(['true'])
  await gone.exited
  const of = (node: string, pid: number) => join(folder.path, `worker-${node}-${pid}-0123abcd`)
  const left = [of('node', gone.pid), of('node', process.pid)]
  const kept = [
    of('node', process.ppid),
    of('other', gone.pid),
    of('other', process.pid),
    of('node-2', gone.pid),
  ]
  for (const path of [...left, ...kept]) mkdirSync(path)
  const own = makeOwnFolder(folder.path, 'node')
  expect(left.filter((path) => existsSync(path))).toEqual([])
  expect([own, ...kept].filter((path) => !existsSync(path))).toEqual([])
})

test('what a process left is cleared away though nobody has fetched its end yet', async () => {
  using folder = freshFolder()
  // the shell becomes a sleep, which never asks what became of the child that the shell had; one that ends at once the
  // shell asks for itself, now and then
  const parent = Bun.spawn(['sh', '-c', 'sleep 0.5 & echo $!; exec sleep 60'], { stdout: 'pipe' })
  const reader = parent.stdout.getReader()
  const pid = Number(new TextDecoder().decode((await reader.read()).value))
  await until('it is dead and still listed', async () =>
    / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) ? true : undefined,
  )
  const left = join(folder.path, `worker-node-${pid}-0123abcd`)
  mkdirSync(left)
  makeOwnFolder(folder.path, 'node')
  expect(existsSync(left)).toBe(false)
  parent.kill()
  await parent.exited
})

test('what a process leaves that dies later is cleared away too, and what nobody touches any more', async () => {
  using folder = freshFolder()
  const dead = Bun.spawn(['true'])
  await dead.exited
  const own = makeOwnFolder(folder.path, 'node')
  const long = new Date(Date.now() - 2 * 3_600_000)
  utimesSync(own, long, long)
  const of = (node: string, pid: number) => join(folder.path, `worker-${node}-${pid}-0123abcd`)
  const left = [of('node', dead.pid), of('other', process.pid)]
  const kept = [of('node', process.ppid), of('third', dead.pid), join(folder.path, 'sem-nome')]
  for (const path of [...left, ...kept]) mkdirSync(path)
  for (const path of [of('other', process.pid), join(folder.path, 'sem-nome')]) utimesSync(path, long, long)
  writeFileSync(join(of('node', dead.pid), 'chunk.parquet'), 'PAR1')

  const sweep = keepFolders(own, { everyMs: 20, node: 'node', log: createLog({}, () => {}) })
  await until('they are gone', async () => (left.some((path) => existsSync(path)) ? undefined : true))
  await sweep.stop()
  expect([own, ...kept].filter((path) => !existsSync(path))).toEqual([])
  expect(Date.now() - statSync(own).mtimeMs).toBeLessThan(60_000)
})

test('the clock of a machine may jump: what belongs to a process of it that lives is never cleared away', async () => {
  using folder = freshFolder()
  const own = makeOwnFolder(folder.path, 'node')
  const other = join(folder.path, `worker-node-${process.ppid}-0123abcd`)
  const foreign = join(folder.path, `worker-other-${process.ppid}-0123abcd`)
  // a laptop that has slept: no process has touched its folder for long when the first of them comes to look
  const long = new Date(Date.now() - 2 * 3_600_000)
  for (const path of [other, foreign]) mkdirSync(path)
  for (const path of [own, other, foreign]) utimesSync(path, long, long)
  const sweep = keepFolders(own, { everyMs: 20, node: 'node', log: createLog({}, () => {}) })
  await until('the foreign one is gone', async () => (existsSync(foreign) ? undefined : true))
  await sweep.stop()
  expect([own, other].filter((path) => !existsSync(path))).toEqual([])
})

test('a folder that somebody has taken away is made again', async () => {
  using folder = freshFolder()
  const own = makeOwnFolder(folder.path, 'node')
  rmSync(own, { recursive: true })
  const lines: string[] = []
  const sweep = keepFolders(own, {
    everyMs: 20,
    node: 'node',
    log: createLog({}, (line) => lines.push(line)),
  })
  await until('it is there', async () => (existsSync(own) ? true : undefined))
  await sweep.stop()
  expect((statSync(own).mode & 0o777).toString(8)).toBe('700')
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(['error'])
})

// as root we become another user for it, who has to come as far as the folder of the tests
test.skipIf(!(await asNobody(() => existsSync(join(servers.dir, '.')))))(
  'what cannot be removed is left alone, at the start and later, and holds back nothing else',
  async () => {
    using folder = freshFolder()
    chmodSync(folder.path, 0o777)
    const dead = Bun.spawn(['true'])
    await dead.exited
    const of = (name: string) => join(folder.path, `worker-node-${dead.pid}-${name}`)
    const [foreign, others] = [of('11111111'), [of('00000000'), of('22222222')]]
    mkdirSync(foreign)
    writeFileSync(join(foreign, 'chunk.parquet'), 'PAR1')
    chmodSync(foreign, 0o555)
    const lines: string[] = []
    const log = createLog({}, (line) => lines.push(line))
    const gone = () => others.every((path) => !existsSync(path))
    try {
      await asNobody(async () => {
        for (const path of others) mkdirSync(path)
        const own = makeOwnFolder(folder.path, 'node')
        expect([gone(), existsSync(own)]).toEqual([true, true])
        for (const path of others) mkdirSync(path)
        const sweep = keepFolders(own, { everyMs: 20, node: 'node', log })
        await until('the others are gone', async () => (gone() ? true : undefined))
        await sweep.stop()
      })
    } finally {
      chmodSync(foreign, 0o755)
    }
    expect(existsSync(join(foreign, 'chunk.parquet'))).toBe(true)
    const cleared = lines.flatMap((line): string[] => JSON.parse(line).cleared)
    expect(cleared.sort()).toEqual(others.map((path) => basename(path)))
  },
)

test('a place where nothing can be written is refused, and the variable is named', () => {
  using folder = freshFolder()
  const file = join(folder.path, 'file')
  writeFileSync(file, '')
  for (const path of [file, join(file, 'below')]) {
    expect(() => requireWorkDir(path)).toThrow(`WORK_DIR: found ${path}, where nothing can be written`)
    expect(() => makeOwnFolder(path, 'node')).toThrow('WORK_DIR: found')
  }
})

/** Does something without the rights of root: as nobody, who has no file, or else as who we are. */
async function asNobody<T>(work: () => T | Promise<T>): Promise<T> {
  const root = process.geteuid?.() === 0
  if (root) process.seteuid?.(65534)
  try {
    return await work()
  } finally {
    if (root) process.seteuid?.(0)
  }
}
