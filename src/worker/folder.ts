import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Log } from '../log.ts'
import { startRounds, type Rounds } from '../rounds.ts'

/**
 * A folder that nobody has touched for so long belongs to nobody, whatever its node: pods that share a volume have a
 * new name each, and none comes back to clear away its own. In milliseconds.
 */
const ABANDONED_MS = 3_600_000

/**
 * Makes the folder in which all workers of this machine have theirs, if it is not there.
 * @throws Error that names WORK_DIR when nothing can be written there
 */
export function requireWorkDir(workDir: string): void {
  try {
    mkdirSync(workDir, { recursive: true })
    accessSync(workDir, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unwritable(workDir, error)
  }
}

/**
 * Makes a folder for this process alone, and clears away those that processes of this node have left. A process id
 * is unique on one node only: containers that share the folder have the same ones, and each leaves what belongs to
 * another node alone.
 * @throws Error that names WORK_DIR when nothing can be written there
 */
export function makeOwnFolder(workDir: string, node: string): string {
  requireWorkDir(workDir)
  const own = join(workDir, `${prefixOf(node)}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`)
  try {
    clearFolders(workDir, { node })
    // what is fetched stands here: with 755 every user of the machine could read it
    mkdirSync(own, { mode: 0o700 })
  } catch (error) {
    throw unwritable(workDir, error)
  }
  return own
}

/** Says again and again that the folder of this process is in use, and clears away those that are not. */
export function keepFolders(
  own: string,
  { everyMs, node, log }: { everyMs: number; node: string; log: Log },
): Rounds {
  return startRounds({ everyMs, failed: 'cannot clear away the folders of others', log }, async () => {
    if (mkdirSync(own, { mode: 0o700, recursive: true }) !== undefined)
      // else each job that comes this way would fail, until its tries are over
      log.error('the folder of this process was taken away, and is made again', { own, why: SHARED })
    const now = new Date()
    utimesSync(own, now, now)
    const cleared = clearFolders(dirname(own), { node, own })
    if (cleared.length) log.warn('folders of processes that have ended are cleared away', { cleared })
  })
}

const SHARED = 'a node of the same NODE_NAME may share WORK_DIR, or somebody clears it'

/** Removes the folders of processes that are gone, as far as we may; gives the names of those that went. */
function clearFolders(workDir: string, { node, own }: { node: string; own?: string }): string[] {
  const left = readdirSync(workDir).filter((name) => {
    const [, prefix, pid] = /^(worker-.+)-(\d+)-[0-9a-f]{8}$/.exec(name) ?? []
    const path = join(workDir, name)
    if (prefix === undefined || path === own) return false
    // not by its time: when a clock jumps, or a machine has slept, the folders of all that live look abandoned
    return prefix === prefixOf(node) ? !isAlive(Number(pid)) : isAbandoned(path)
  })
  return left.filter((name) => isRemoved(join(workDir, name)))
}

/** False where it is another user's: a service that was first run as root must start as somebody else later. */
function isRemoved(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}

function prefixOf(node: string): string {
  return `worker-${node.replace(/[^A-Za-z0-9_-]/g, '_')}`
}

function isAbandoned(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS
}

/** A folder with our own id is of an earlier life: a container that is started again gives the same ids. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Dead, and listed until its parent asks: the init that inherits it may take seconds, or never ask. */
function isZombie(pid: number): boolean {
  try {
    // behind the name, which may hold anything
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.startsWith('Z') ?? false
  } catch {
    return false
  }
}

function unwritable(workDir: string, error: unknown): Error {
  const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return new Error(
    `WORK_DIR: found ${workDir}, where nothing can be written (${why}), expected a folder to write to`,
  )
}
