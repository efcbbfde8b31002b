import type { Usage } from './usage.ts'

/** From this share of the CPU time unused on, something else than the CPU holds the work up. */
const IDLE_SHARE = 0.15
/** A process of PostgreSQL that is at work for so much of the time is what all others wait for. */
const BACKEND_SHARE = 0.8
const DISK_SHARE = 0.2
/** Programs that are none of ours and take so much spoil the figures. */
const FOREIGN_SHARE = 0.1

/** What held the work up, as far as the CPU times tell, and the times themselves as shares of all cores. */
export function limitOf(usage: Usage | undefined): string {
  if (!usage) return 'not measured on this system'
  const { wallS, cores, cpu, idleS, diskWaitS, backendS, walBytes } = usage
  const allS = wallS * cores
  const shares = Object.entries(cpu)
    .filter(([, seconds]) => seconds / allS >= 0.01)
    .sort(([, a], [, b]) => b - a)
  const first = shares.find(([name]) => name !== 'other')?.[0] ?? 'nothing'
  const foreign = (cpu.other ?? 0) / allS
  const warning = foreign > FOREIGN_SHARE ? ' (disturbed by other programs of this machine)' : ''
  const parts = [...shares, ['idle', idleS - diskWaitS] as const, ['disk wait', diskWaitS] as const]
    .filter(([name, seconds]) => name === 'idle' || seconds / allS >= 0.01)
    .map(([name, seconds]) => `${name} ${Math.max(0, Math.round((seconds / allS) * 100))} %`)
  const wal = walBytes > 0 ? `; WAL ${megabytes(walBytes)}` : ''
  return `${verdict()}${warning}. CPU: ${parts.join(', ')}${wal}`

  function verdict(): string {
    if (idleS / allS < IDLE_SHARE) return `CPU, all ${cores} cores busy, most with ${first}`
    if (diskWaitS / allS > DISK_SHARE) return 'disk'
    if (backendS / wallS > BACKEND_SHARE) return 'one backend of PostgreSQL, on one core'
    return `no part alone; most CPU: ${first}`
  }
}

/** Whether the CPU of the machine, or the one core of a backend, is what there was no more of. */
export function isBusy(usage: Usage | undefined): boolean {
  if (!usage) return false
  const { idleS, cpu, wallS, cores, backendS } = usage
  // what other programs took would have been ours
  return (idleS + (cpu.other ?? 0)) / (wallS * cores) < IDLE_SHARE || backendS / wallS > BACKEND_SHARE
}

/** 436207616 as `436 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`
}
