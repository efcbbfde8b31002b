// The process that looks at files before they are accepted. A file that is made to crash its reader ends this process,
// and never the API. Started by main.ts.
import { rmSync } from 'node:fs'
import { readConfig } from './config.ts'
import { openDuckdb } from './db/duckdb.ts'
import { BulkError } from './errors.ts'
import { lookAt } from './ingest/look.ts'
import { createLog, errorFields, messageOf } from './log.ts'
import { keepFolders, makeOwnFolder } from './worker/folder.ts'
import type { FromLooker, Look, ToLooker } from './worker/looks.ts'

/** Files of one look that are opened at the same time. */
const FILES_AT_ONCE = 8

let log = createLog({ role: 'look', pid: process.pid })

// the parent is gone: nobody would ever stop this process
process.on('disconnect', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
// Ctrl-C reaches the whole group; the parent says when to stop
process.on('SIGINT', () => {})

try {
  await start()
} catch (error) {
  log.error(messageOf(error))
  process.exit(1)
}

async function start(): Promise<void> {
  const given = readConfig()
  log = log.with({ node: given.node })
  const config = { ...given, workDir: makeOwnFolder(given.workDir, given.node) }
  process.on('exit', () => rmSync(config.workDir, { recursive: true, force: true }))
  keepFolders(config.workDir, { everyMs: config.bounds.sweepMs, node: config.node, log })
  const duckdb = await openDuckdb({ workDir: config.workDir, memoryBytes: config.bounds.preflightBytes })
  const context = { config, duckdb, alone: inTurn() }
  const running = new Map<number, AbortController>()
  process.on('message', (message: ToLooker) => {
    if (message.kind === 'cancel') return running.get(message.id)?.abort(new Error('the time is over'))
    const stop = new AbortController()
    running.set(message.id, stop)
    void look(message, (file) => lookAt(file, context, stop.signal)).then((answer) => {
      running.delete(message.id)
      process.send?.(answer)
    })
  })
  log.info('files are looked at before they are accepted', { waitMs: config.bounds.preflightMs })
  process.send?.({ kind: 'ready' } satisfies FromLooker)
}

type LookedAt = Parameters<typeof lookAt>[0]

/** Looks at each file until one is refused. A fault of another kind is no verdict: the worker decides. */
async function look({ id, sent }: Look, lookAtFile: (file: LookedAt) => Promise<void>): Promise<FromLooker> {
  const { urls, ...same } = sent
  const left = [...urls]
  const next = async (): Promise<void> => {
    for (let url = left.shift(); url !== undefined; url = left.shift()) await lookAtFile({ ...same, url })
  }
  try {
    await Promise.all(Array.from({ length: Math.min(FILES_AT_ONCE, urls.length) }, next))
    return { kind: 'answer', id, refusal: null }
  } catch (error) {
    left.length = 0
    if (error instanceof BulkError && error.retry === 'never') {
      const { code, said, extra } = error
      return { kind: 'answer', id, refusal: { code, said, extra } }
    }
    log.info('a look came to nothing; the worker decides', errorFields(error))
    return { kind: 'answer', id, refusal: null }
  }
}

/** Lets one piece of work run at a time, in the order in which they come. */
function inTurn() {
  let before: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = before.then(work)
    before = mine.catch(() => {})
    return mine
  }
}
