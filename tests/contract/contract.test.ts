import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres, type Postgres } from '../../scripts/postgres.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { freshFolder } from '../support/servers.ts'
import { type Case, readCases, servedFiguras } from './case.ts'
import { runCase } from './run.ts'

/** CASES='null_if|default' ./scripts/test tests/contract runs those whose names match, with _ or with -. */
const wanted = new RegExp(process.env.CASES ?? '')
const cases = readCases().filter(({ name }) => wanted.test(name) || wanted.test(name.replaceAll('_', '-')))

/** Where Debian puts it. Users' machines need not have it: without it these tests are skipped, and say so. */
const NATIVE = '/usr/lib/postgresql/15'
const found = existsSync(join(NATIVE, 'bin/postgres'))
if (!found) console.log(`skipped: the contract on PostgreSQL 15, which is not in ${NATIVE}`)

const AT_ONCE = 8

test('there are cases to run', () => expect(cases).not.toBeEmpty())

test('every figura that is served has cases beside it', () => {
  expect(servedFiguras().filter(({ cases: count }) => count < 3)).toEqual([])
})

describe('the contract on PostgreSQL 18', () => runAll(() => startRig()))

describe.skipIf(!found)('the contract on PostgreSQL 15', () => {
  const folder = freshFolder()
  let server: Postgres
  runAll(async () => {
    server = await startPostgres({ dir: folder.path, durable: false, native: NATIVE })
    return startRig({ databaseUrl: server.url })
  })
  afterAll(async () => {
    await server.stop()
    folder[Symbol.dispose]()
  })
})

/** One service for all; each case has a table and a prefix of its own, so some run at once while their tests wait. */
function runAll(start: () => Promise<Rig>): void {
  let rig: Rig
  const outcomes = new Map<string, PromiseWithResolvers<string[]>>(
    cases.map(({ name }) => [name, Promise.withResolvers()]),
  )
  beforeAll(async () => {
    rig = await start()
    const queue = [...cases]
    for (let no = 0; no < AT_ONCE; no++) void work(queue)
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  async function work(queue: Case[]): Promise<void> {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const outcome = await runCase(rig, one).catch((error: unknown) => [String(error)])
      outcomes.get(one.name)?.resolve(outcome)
    }
  }

  for (const { name, does } of cases) {
    test(`${name}: ${does}`, async () => {
      const faults = (await outcomes.get(name)?.promise) ?? []
      if (faults.length) throw new Error([`${name} (${does})`, ...faults].join('\n  '))
    })
  }
}
