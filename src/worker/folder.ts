import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

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
  const prefix = `worker-${node.replace(/[^A-Za-z0-9_-]/g, '_')}`
  const own = join(workDir, `${prefix}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`)
  try {
    for (const name of readdirSync(workDir)) {
      const [, left, pid] = /^(worker-.+)-(\d+)-[0-9a-f]{8}$/.exec(name) ?? []
      if (left === prefix && !isAlive(Number(pid)))
        rmSync(join(workDir, name), { recursive: true, force: true })
    }
    mkdirSync(own)
  } catch (error) {
    throw unwritable(workDir, error)
  }
  return own
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

/** Dead, and listed until its parent asks: the init that inherits it may take seconds, and only a start clears away. */
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
