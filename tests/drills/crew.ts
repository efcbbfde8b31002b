import type { Dice } from '../../scripts/dice.ts'
import type { Service } from '../support/service.ts'
import { livingOf } from './leaks.ts'

/** A worker: a supervisor, and the process below it that has the threads. */
export type Worker = { service: Service; /** The process that has the threads now. */ threads(): number }

/** Worker processes that can be killed. */
export type Crew = {
  /** Starts one more. */
  add(): Promise<Worker>
  /** Kills one that is at work by SIGKILL: its threads, and mostly its supervisor too; then another is started. */
  killOne(dice: Dice): Promise<void>
  /** Every process that was ever started. */
  pids(): number[]
  /** Those that are up. */
  working(): Worker[]
  /** Lines of all logs so far. */
  lines(): Record<string, unknown>[]
  /** Stops all tidily; others may be added. */
  dismiss(): Promise<void>
}

type Slot = { name: string; worker: Worker | undefined; starting: Promise<Worker> }

/** Starts so many workers; `start` starts one by its name. */
export async function startCrew(count: number, start: (name: string) => Promise<Service>): Promise<Crew> {
  const past: Service[] = []
  let slots: Slot[] = []
  const open = (name: string): Slot => {
    const starting = start(name).then((service) => {
      past.push(service)
      slot.worker = { service, threads: () => threadsOf(service).at(-1) ?? 0 }
      return slot.worker
    })
    const slot: Slot = { name, worker: undefined, starting }
    return slot
  }
  const add = () => {
    const slot = open(`worker-${slots.length}`)
    slots.push(slot)
    return slot.starting
  }
  const working = () =>
    slots.flatMap(({ worker }) => (worker && livingOf([worker.threads()]).length ? [worker] : []))

  await Promise.all(Array.from({ length: count }, add))
  return {
    add,
    killOne: async (dice) => {
      while (working().length === 0) await Bun.sleep(50)
      const worker = dice.one(working())
      // without its supervisor every other time: it starts the threads again by itself, though later each time
      const whole = dice.chance(0.75)
      process.kill(worker.threads(), 'SIGKILL')
      if (!whole) return
      await worker.service.kill()
      slots = slots.map((slot) => (slot.worker === worker ? open(slot.name) : slot))
    },
    pids: () => past.flatMap((service) => [service.pid, ...threadsOf(service)]),
    working,
    lines: () => past.flatMap(({ lines }) => lines),
    dismiss: async () => {
      const leaving = slots.splice(0)
      await Promise.all(leaving.map(async ({ starting }) => (await starting).service[Symbol.asyncDispose]()))
    },
  }
}

function threadsOf({ lines }: Service): number[] {
  return lines.filter(({ message }) => message === 'worker threads are ready').map(({ pid }) => Number(pid))
}
