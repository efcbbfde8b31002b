import type { Dice } from '../../scripts/dice.ts'
import type { Service } from '../support/service.ts'
import { livingOf } from './leaks.ts'

/** Worker processes that can be killed, each of which is started again. */
export type Crew = {
  /** Kills one that is at work by SIGKILL: the process that has the threads, and often its supervisor too. */
  killOne(dice: Dice): Promise<void>
  /** The processes that have the threads, of all that were ever started. */
  pids(): number[]
  /** The process that has the threads now, of each worker that is up. */
  working(): number[]
  /** Lines of all logs so far. */
  lines(): Record<string, unknown>[]
  /** Stops all tidily. */
  stop(): Promise<void>
}

type Slot = { name: string; service: Service | undefined; starting: Promise<void> }

/** Starts so many workers; `start` starts one by its name. */
export async function startCrew(count: number, start: (name: string) => Promise<Service>): Promise<Crew> {
  const past: Service[] = []
  let stopping = false
  const open = (slot: Slot) => {
    slot.service = undefined
    slot.starting = start(slot.name).then((service) => {
      past.push(service)
      slot.service = service
    })
    return slot
  }
  const slots = Array.from({ length: count }, (_, no) =>
    open({ name: `worker-${no}`, service: undefined, starting: Promise.resolve() }),
  )
  await Promise.all(slots.map(({ starting }) => starting))

  const up = () => slots.filter(({ service }) => service && livingOf([threadsOf(service)]).length > 0)
  return {
    killOne: async (dice) => {
      while (up().length === 0) await Bun.sleep(50)
      const slot = dice.one(up())
      const { service } = slot
      if (!service) return
      // without its supervisor every other time: it starts the threads again by itself, though later each time
      const whole = dice.chance(0.75)
      process.kill(threadsOf(service), 'SIGKILL')
      if (!whole) return
      await service.kill()
      open(slot)
    },
    pids: () => past.flatMap((service) => [service.pid, ...allThreadsOf(service)]),
    working: () => up().flatMap(({ service }) => (service ? [threadsOf(service)] : [])),
    lines: () => past.flatMap(({ lines }) => lines),
    stop: async () => {
      if (stopping) return
      stopping = true
      await Promise.all(slots.map(({ starting }) => starting))
      await Promise.all(past.map((service) => service[Symbol.asyncDispose]()))
    },
  }
}

function allThreadsOf({ lines }: Service): number[] {
  return lines.filter(({ message }) => message === 'worker threads are ready').map(({ pid }) => Number(pid))
}

/** The process that has the threads; the last one, where it was started again. */
function threadsOf(service: Service): number {
  return allThreadsOf(service).at(-1) ?? 0
}
