import { timingSafeEqual } from 'node:crypto'
import { findUsableKey, type UsableKey } from '../db/keys.ts'
import type { Sql } from '../db/postgres.ts'
import { BulkError } from '../errors.ts'
import type { Figuras } from '../figura/load.ts'
import { readKey } from '../key.ts'
import { anonymous, type Caller, callerOf } from './caller.ts'
import { inTime } from './in-time.ts'
import { openBucket, type Rate, type Taken, type TokenBucket } from './rate.ts'

/** Finds out who asks. `taken`: what came of its rate, which the caller of this has to heed; absent: no limit. */
export type Callers = (authorization: string | null) => Promise<{ caller: Caller; taken?: Taken }>

/**
 * How long a key is believed in without a look at its row. A key that is revoked stops after so long at the latest,
 * which has to stay below the 10 s that are promised.
 */
const BELIEVED_MS = 5000

/** Keys that are remembered, valid ones and others: as many as there are, unless somebody makes a great many. */
const REMEMBERED = 10_000
const MISSED = 1000

/**
 * Looks at rows of keys that were not seen before. Whoever tries ids at random would else have PostgreSQL look for
 * each; keys that are in use are remembered, and do not notice.
 */
const UNSEEN: Rate = { perSecond: 50, burst: 200 }

/** The service asks for no keys, and anybody may do everything. */
export function anybody(figuras: Figuras): Callers {
  const caller = anonymous(figuras)
  return async () => ({ caller })
}

type Seen = { at: number; key: UsableKey; caller: Caller; bucket: TokenBucket }

/**
 * Callers with keys, each with a rate of its own in this process. A request costs a SHA-256 and a look into a Map;
 * every 5 s the row of the key is read again.
 * What it answers throws BulkError key_refused, unavailable; rate_limited when too many keys are tried.
 */
export function keyHolders(sql: Sql, figuras: Figuras, rate: Rate): Callers {
  const remembered = new Map<string, Seen>()
  const missed = new Map<string, number>()
  const looks = new Map<string, Promise<Seen | undefined>>()
  const unseen = openBucket(UNSEEN)

  async function look(id: string, known: Seen | undefined): Promise<Seen | undefined> {
    // an exporter that goes on with a key that was revoked must not use up the looks of others
    if (performance.now() - (missed.get(id) ?? -Infinity) < BELIEVED_MS) return undefined
    if (!known) requireRate(unseen())
    // from before the question: what changes while it is answered must not be believed in for longer
    const at = performance.now()
    const key = await inTime(findUsableKey(sql, id))
    if (!key) {
      remembered.delete(id)
      keep(missed, id, at, MISSED)
      return undefined
    }
    const seen = { at, key, caller: callerOf(key, figuras), bucket: known?.bucket ?? openBucket(rate) }
    keep(remembered, id, seen, REMEMBERED)
    return seen
  }

  /** One look for all requests that come by the key meanwhile. */
  function lookOnce(id: string, known: Seen | undefined): Promise<Seen | undefined> {
    const running = looks.get(id)
    if (running) return running
    const mine = look(id, known).finally(() => looks.delete(id))
    looks.set(id, mine)
    return mine
  }

  return async (authorization) => {
    const shown = shownKey(authorization)
    const known = remembered.get(shown.id)
    const seen = known && isFresh(known) ? known : await lookOnce(shown.id, known)
    if (!seen || !timingSafeEqual(seen.key.hash, shown.hash))
      throw refused('one that is not valid', 'invalid_token')
    return { caller: seen.caller, taken: seen.bucket() }
  }
}

/** Puts a value into a map of at most so many, from which the oldest goes. */
function keep<T>(map: Map<string, T>, id: string, value: T, most: number): void {
  map.delete(id)
  map.set(id, value)
  const [oldest] = map.keys()
  if (map.size > most && oldest !== undefined) map.delete(oldest)
}

function isFresh({ at, key }: Seen): boolean {
  return performance.now() - at < Math.min(BELIEVED_MS, key.leftMs ?? Infinity)
}

function shownKey(authorization: string | null) {
  if (authorization === null) throw refused('none')
  const [, text] = /^bearer +(\S+) *$/i.exec(authorization) ?? []
  if (text === undefined) throw refused('the header Authorization in another form', 'invalid_request')
  const key = readKey(text)
  if (!key) throw refused('a text that is no key', 'invalid_token')
  return key
}

/** Whether a key is unknown, expired, revoked, or its secret wrong, is not told. */
function refused(found: string, challenge?: 'invalid_token' | 'invalid_request'): BulkError {
  const said = { subject: 'The key of the caller', found, expected: 'Authorization: Bearer bulk_…' }
  return new BulkError('key_refused', said, challenge ? { challenge } : {})
}

/**
 * Lets pass who is within its rate.
 * @throws BulkError rate_limited
 */
export function requireRate(taken: Taken): void {
  if (taken.ok) return
  const said = { subject: 'The caller', found: 'more requests than it may send', expected: 'a pause' }
  throw new BulkError('rate_limited', said, { retry_after: taken.waitSeconds })
}
