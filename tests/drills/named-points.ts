import { type Dice, dice } from '../../scripts/dice.ts'
import { type FaultProxy, startFaultProxy, type Verdict } from '../support/fault-proxy.ts'
import { servers } from '../support/servers.ts'
import type { Cargo, Ware } from './cargo.ts'
import { type Drill, type Tally, clean } from './drill.ts'
import { sum } from './oracle.ts'
import { type Plant, startPlant } from './plant.ts'
import { type Point, POINTS, type Way } from './points.ts'

const FAULTS = ['SIGKILL', 'SIGSTOP', 'SIGSEGV'] as const
type Fault = (typeof FAULTS)[number]
type Case = { no: number; point: Point; fault: Fault }

/** Every point with every fault. */
const CASES = POINTS.flatMap((point) => FAULTS.map((fault) => ({ point, fault })))

const LEASE_MS = 2000

/** The number of the file that goes before, from this on. */
const BEFORE = 10_000

/** How long a point may take to come, and a job to end after the fault, in milliseconds. */
const REACH_MS = 30_000
const END_MS = 60_000

export const namedPoints: Drill = {
  name: 'named-points',
  about: 'a worker is killed, stopped for 3 leases or made to crash at each step from the claim to the ack',
  runs: { small: 4, full: CASES.length },
  run: async ({ seed, runs, say, only = '' }) => {
    const cases = draw(
      dice(seed, 0),
      runs,
      CASES.filter(({ point, fault }) => `${point.name}, ${fault}`.includes(only)),
    )
    // what waits is mostly a lease, so two of them wait at once
    const lanes = [0, 1].map((lane) =>
      runLane(
        cases.filter(({ no }) => no % 2 === lane),
        say,
      ),
    )
    return sum(...(await Promise.all(lanes)))
  },
}

/** So many cases, each once before any comes again, in an order of chance. */
function draw(chance: Dice, runs: number, cases: typeof CASES): Case[] {
  const drawn: Case[] = []
  let left: typeof CASES = []
  for (let no = 0; no < runs; no++) {
    if (left.length === 0) left = [...cases]
    const [one] = left.splice(chance.below(left.length), 1)
    if (one) drawn.push({ no, ...one })
  }
  return drawn
}

async function runLane(cases: Case[], say: (line: string) => void): Promise<Tally> {
  if (cases.length === 0) return clean()
  const proxies = {
    postgres: await startFaultProxy(servers.databaseUrl),
    nats: await startFaultProxy(servers.natsUrl),
    source: await startFaultProxy(servers.s3.endpoint),
  }
  await using plant = await startPlant({
    wares: cases.map(wareOf),
    workers: 0,
    quiet: true,
    workerDatabaseUrl: (url) => proxies.postgres.by(url),
    workerNatsUrl: proxies.nats.by(servers.natsUrl),
    workerEnv: { S3_ENDPOINT: proxies.source.by(servers.s3.endpoint) },
  })
  const tally = clean()
  for (const one of cases) {
    const wrong = await runCase(one, plant, proxies)
    if (!wrong) continue
    tally.unexpected++
    say(`${one.point.name}, ${one.fault}: ${wrong}`)
  }
  const counted = await plant.check(say)
  for (const proxy of Object.values(proxies)) await proxy[Symbol.asyncDispose]()
  return sum(tally, counted)
}

/** A figura for each case, since some want an empty table. */
function wareOf({ no, point: { way } }: Case): Ware {
  // rows that are replaced are never merged in parts
  const kind = way === 'staged' ? 'replace' : no % 3 === 0 ? 'append' : no % 3 === 1 ? 'count' : 'merge'
  return { name: `${kind}_${no}`, kind }
}

const ROWS: Record<Way, number> = { direct: 300, first: 6000, staged: 20_000, parts: 20_000 }

/** @returns what went wrong */
async function runCase(
  { no, point, fault }: Case,
  plant: Plant,
  proxies: Record<Point['link'], FaultProxy>,
): Promise<string | undefined> {
  const cargo: Cargo = { no, ware: wareOf({ no, point, fault }), first: no, rows: ROWS[point.way] }
  const url = await plant.upload(cargo)
  const victim = await plant.crew.add()
  if (point.way !== 'first') {
    // so that there is something to merge with
    await plant.send({ ...cargo, no: no + BEFORE, rows: 100 })
    await plant.settled(END_MS)
  }
  const reached = proxies[point.link].watch({
    ...point.watch,
    strike: () => strike(fault, victim.threads(), () => plant.crew.add()),
  })
  await plant.put(url)
  const late = Bun.sleep(REACH_MS + 3 * LEASE_MS).then(() => 'late' as const)
  const outcome = await Promise.race([reached, late])
  proxies[point.link].unwatch()
  const alive = await plant.settled(END_MS)
  // a process that was stopped has a moment to do harm
  if (fault === 'SIGSTOP') await Bun.sleep(500)
  await plant.crew.dismiss()
  if (outcome === 'late') return 'the point was never reached'
  return alive ? `the job has not ended ${END_MS / 1000} s later` : undefined
}

/** Kills the process, which its supervisor then starts anew; or stops it, while another one is at work. */
async function strike(fault: Fault, pid: number, addOther: () => Promise<unknown>): Promise<Verdict> {
  process.kill(pid, fault)
  if (fault !== 'SIGSTOP') return 'drop'
  const other = addOther()
  await Bun.sleep(3 * LEASE_MS)
  process.kill(pid, 'SIGCONT')
  await other
  return 'pass'
}
