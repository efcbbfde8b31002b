import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createLog } from '../../src/log.ts'
import { type Looker, superviseLooker } from '../../src/worker/looks.ts'
import { until } from '../support/service.ts'

const WAIT_MS = 300
const figura = {
  name: 'f',
  description: '',
  table: { schema: 's', name: 't' },
  key: [],
  columns: [],
  sources: [],
}

let looker: Looker
const lines: Record<string, unknown>[] = []
beforeAll(async () => {
  looker = superviseLooker(join(import.meta.dir, 'programs/looker.ts'), {
    env: { PATH: process.env.PATH },
    waitMs: WAIT_MS,
    atOnce: 2,
    log: createLog({}, (line) => void lines.push(JSON.parse(line))),
  })
  await isReady()
})
afterAll(() => looker.stop())

describe('a look at a file', () => {
  test('tells what is against it, with all that belongs to the error', async () => {
    await expect(look('refused')).rejects.toMatchObject({
      code: 'schema_differs',
      message: 'It: found this, expected that. Mend it.',
      extra: { differences: [] },
    })
    await look('passes')
  })

  test('that is not answered in time is waited for no longer, and no more of them begun than said', async () => {
    const started = performance.now()
    const waited: string[] = []
    const slow = [look('nothing'), look('nothing')].map((one) => one.then(() => waited.push('slow')))
    await look('refused').then(() => waited.push('refused'))
    await Promise.all(slow)
    expect(waited).toEqual(['refused', 'slow', 'slow'])
    expect(performance.now() - started).toBeGreaterThanOrEqual(WAIT_MS - 5)
    await until('the process that hung is another', async () =>
      lines.some(({ message }) => String(message).includes('its process is killed')) ? true : undefined,
    )
    await refusesAgain()
  })

  test.each(['ends', 'crashes', 'spins'])(
    'whose process %s is answered, and the next one looked at',
    async (how) => {
      await look(how)
      await until('the process ended', async () => (looker.ready() ? undefined : true))
      await look('refused')
      await refusesAgain()
    },
  )
})

function look(url: string): Promise<void> {
  return looker.look({ figura, urls: [url], sha256: null, etag: null, mode: null })
}

async function isReady(): Promise<void> {
  await until('it is ready', async () => (looker.ready() ? true : undefined))
}

/** A process that is about to end still counts as ready for a moment, and what it is asked then is let pass. */
async function refusesAgain(): Promise<void> {
  await until('files are looked at again', () =>
    look('refused').then(
      () => undefined,
      () => true as const,
    ),
  )
}
