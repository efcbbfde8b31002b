import { availableParallelism } from 'node:os'
import { readdirSync, readFileSync } from 'node:fs'

/** Processes whose CPU time is told together, by their ids; `tree` takes their children along, those that ended too. */
export type Group = { name: string; pids: number[]; tree?: boolean }

/** What a stretch of work used. Times in seconds; `cpu` by group, with `other` for processes that are not ours. */
export type Usage = {
  wallS: number
  cores: number
  cpu: Record<string, number>
  idleS: number
  diskWaitS: number
  /** The busiest single process of PostgreSQL, in seconds: one backend cannot use more than one core. */
  backendS: number
  walBytes: number
}

/** The kernel counts CPU time in hundredths of a second towards user space, on every architecture. */
const TICKS_PER_S = 100

type Sample = {
  atMs: number
  groups: Record<string, Map<number, number>>
  machine: ReturnType<typeof machineTimes>
}

/** Only Linux tells these things; elsewhere nothing is known of them. */
export const canMeasure = process.platform === 'linux'

/** Starts to count; the function that it gives ends that and tells what was used since. */
export function countUsage(groups: Group[]): (walBytes: number) => Usage | undefined {
  if (!canMeasure) return () => undefined
  const before = sample(groups)
  return (walBytes) => difference(before, sample(groups), walBytes)
}

/** All of several stretches together. */
export function sumUsage(all: (Usage | undefined)[]): Usage | undefined {
  const [first, ...others] = all.filter((one) => one !== undefined)
  return others.reduce(
    (sum, one) =>
      sum && {
        wallS: sum.wallS + one.wallS,
        cores: sum.cores,
        cpu: Object.fromEntries(
          Object.keys({ ...sum.cpu, ...one.cpu }).map((name) => [
            name,
            (sum.cpu[name] ?? 0) + (one.cpu[name] ?? 0),
          ]),
        ),
        idleS: sum.idleS + one.idleS,
        diskWaitS: sum.diskWaitS + one.diskWaitS,
        backendS: sum.backendS + one.backendS,
        walBytes: sum.walBytes + one.walBytes,
      },
    first,
  )
}

/** The ids of a process's children. */
export function childrenOf(parent: number): number[] {
  if (!canMeasure) return []
  return readdirSync('/proc').flatMap((name) => {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined
    return stat?.parent === parent ? [Number(name)] : []
  })
}

/** The name that the kernel has for a process. */
export function processName(pid: number): string {
  return readStat(pid)?.name ?? ''
}

/** The parent of a process. */
export function parentOf(pid: number): number | undefined {
  return readStat(pid)?.parent
}

/** The most memory that a process ever had resident, in bytes. */
export function peakMemoryBytes(pid: number): number | undefined {
  if (!canMeasure) return undefined
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

function sample(groups: Group[]): Sample {
  const atMs = performance.now()
  const times = groups.map(({ name, pids, tree }): [string, Map<number, number>] => [
    name,
    new Map(pids.flatMap((pid) => (tree ? treeTimes(pid) : ownTime(pid)))),
  ])
  return { atMs, groups: Object.fromEntries(times), machine: machineTimes() }
}

function difference(before: Sample, after: Sample, walBytes: number): Usage {
  const cores = availableParallelism()
  const cpu: Record<string, number> = {}
  let backendS = 0
  for (const [name, times] of Object.entries(after.groups)) {
    const spent = [...times].map(([pid, seconds]) => seconds - (before.groups[name]?.get(pid) ?? 0))
    // a process that ended meanwhile has its earlier time in its parent's account, which is negative where it stands
    const ended = [...(before.groups[name] ?? [])].filter(([pid]) => !times.has(pid))
    const gone = ended.reduce((sum, [, seconds]) => sum + seconds, 0)
    cpu[name] = Math.max(0, spent.reduce((sum, one) => sum + one, 0) - gone)
    if (name === 'PostgreSQL') backendS = Math.max(0, ...spent.slice(1))
  }
  const busy = after.machine.busyS - before.machine.busyS
  cpu.other = Math.max(0, busy - Object.values(cpu).reduce((sum, one) => sum + one, 0))
  return {
    wallS: (after.atMs - before.atMs) / 1000,
    cores,
    cpu,
    idleS: after.machine.idleS - before.machine.idleS,
    diskWaitS: after.machine.diskWaitS - before.machine.diskWaitS,
    backendS,
    walBytes,
  }
}

function machineTimes(): { busyS: number; idleS: number; diskWaitS: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? ''
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map((text) => Number(text) / TICKS_PER_S)
  return { busyS: user + nice + system + irq + soft + steal, idleS: idle + wait, diskWaitS: wait }
}

function ownTime(pid: number): [number, number][] {
  const stat = readStat(pid)
  return stat ? [[pid, stat.ownS]] : []
}

/** The process itself with its ended children, then each child that lives. */
function treeTimes(pid: number): [number, number][] {
  const stat = readStat(pid)
  return stat ? [[pid, stat.ownS + stat.endedS], ...childrenOf(pid).flatMap(ownTime)] : []
}

function readStat(pid: number): { name: string; parent: number; ownS: number; endedS: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the name stands in brackets and may hold any character
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    const ticks = (at: number) => Number(fields[at]) / TICKS_PER_S
    return {
      name: text.slice(text.indexOf('(') + 1, end),
      parent: Number(fields[1]),
      ownS: ticks(11) + ticks(12),
      endedS: ticks(13) + ticks(14),
    }
  } catch {
    return undefined
  }
}
