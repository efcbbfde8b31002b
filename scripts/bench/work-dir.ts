import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Between two looks; what stands there for a shorter time may be missed. */
const EVERY_MS = 25

/**
 * Watches how many bytes stand on the disk below a folder, as the file system counts them: a sparse file has those
 * that were written. Files that a process has deleted and holds open count too.
 * @returns the function that ends it and gives the most that was seen
 */
export function watchFolder(folder: string, pids: () => number[]): () => number {
  let peak = 0
  const look = () => {
    const open = pids().reduce((sum, pid) => sum + deletedBytes(folder, pid), 0)
    peak = Math.max(peak, bytesBelow(folder) + open)
  }
  const timer = setInterval(look, EVERY_MS)
  return () => {
    clearInterval(timer)
    return peak
  }
}

function bytesBelow(folder: string): number {
  return namesIn(folder).reduce((sum, name) => {
    const path = join(folder, name)
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat?.isDirectory()) return sum + bytesBelow(path)
    return sum + (stat?.blocks ?? 0) * 512
  }, 0)
}

function deletedBytes(folder: string, pid: number): number {
  const dir = `/proc/${pid}/fd`
  return namesIn(dir).reduce((sum, name) => {
    const path = join(dir, name)
    try {
      const target = readlinkSync(path)
      const counts = target.startsWith(folder) && target.endsWith(' (deleted)')
      return counts ? sum + statSync(path).blocks * 512 : sum
    } catch {
      return sum // closed meanwhile
    }
  }, 0)
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return [] // removed meanwhile
  }
}
