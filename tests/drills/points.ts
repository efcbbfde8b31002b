import type { Watch } from '../support/fault-proxy.ts'

/** How a file goes: in one transaction; staged and merged in one, or in parts; straight into an empty table. */
export type Way = 'direct' | 'staged' | 'parts' | 'first'

/** A named moment between the claim of a job and the last word about it. */
export type Point = {
  name: string
  way: Way
  link: 'postgres' | 'nats' | 'source'
  watch: Omit<Watch, 'strike'>
}

const CLAIM = 'attempts = attempts + case'
const END = "status = 'completo'"
/** A MERGE, or where all rows are new an INSERT. */
const INTO = 'into "public"'
const COMMIT = 'commit\0'

/** Statements in the order in which they come, by the way that a file goes. */
const STATEMENTS: Record<Way, Record<string, string[]>> = {
  direct: {
    claim: [CLAIM],
    COPY: ['copy pg_temp', 'from stdin'],
    MERGE: [INTO],
    'end of the job': [END],
    COMMIT: [END, COMMIT],
  },
  first: {
    claim: [CLAIM],
    'begin of the COPY': ['copy "public"'],
    'end of the job': [END],
    COMMIT: [END, COMMIT],
  },
  staged: {
    'plan of the stage': ['stage = attempts'],
    'stage is made': ['create unlogged table', COMMIT],
    'claim of a chunk': ['claims = claims + 1'],
    'mark of a chunk': ['done_at = clock_timestamp()'],
    'COMMIT of a chunk': ['done_at = clock_timestamp()', COMMIT],
    'begin of the merge': ['merge_try = merge_try + 1'],
    MERGE: ['merge into'],
    'end of the job': [END],
    'drop of the stage': ['drop table if exists'],
    COMMIT: ['drop table if exists', COMMIT],
  },
  parts: {
    MERGE: [INTO],
    'PREPARE TRANSACTION': ['prepare transaction'],
    decision: ['decision = $'],
    'COMMIT PREPARED': ['commit prepared'],
    'end of the job': [END],
    COMMIT: ['drop table if exists', COMMIT],
  },
}

/** What is no statement: in the midst of bytes, and what is said to NATS. */
const OTHERS: Point[] = [
  other('direct', 'nats', 'the doorbell', { texts: ['"kind":"job"'], from: 'server' }),
  other('staged', 'source', 'the footer is asked for', { texts: ['GET /'], from: 'client' }),
  other('staged', 'source', 'in the footer', { texts: ['206 '], from: 'server', bytesLater: 20_000 }),
  other('staged', 'source', 'in a chunk', { texts: ['206 '], from: 'server', skip: 1, bytesLater: 20_000 }),
  other('direct', 'postgres', 'in the COPY', { texts: ['from stdin'], from: 'client', bytesLater: 1000 }),
  other('first', 'postgres', 'in the COPY', { texts: ['from stdin'], from: 'client', bytesLater: 30_000 }),
  other('staged', 'postgres', 'in the COPY', { texts: ['from stdin'], from: 'client', bytesLater: 30_000 }),
]

/** Every point: before a statement reaches PostgreSQL, and after, when only its answer is missing. */
export const POINTS: Point[] = [
  ...(Object.keys(STATEMENTS) as Way[]).flatMap((way) =>
    Object.entries(STATEMENTS[way]).flatMap(([name, texts]) => twice(way, 'postgres', name, texts)),
  ),
  ...twice('direct', 'nats', 'ack', ['+ACK']),
  ...twice('staged', 'nats', 'ack', ['+ACK']),
  ...twice('staged', 'nats', 'doorbells of chunks', ['.chunk.']),
  ...OTHERS,
]

function twice(way: Way, link: Point['link'], what: string, texts: string[]): Point[] {
  return (['before', 'after'] as const).map((when) => ({
    name: `${way}: ${when} ${what}`,
    way,
    link,
    watch: { texts, from: 'client', when },
  }))
}

function other(way: Way, link: Point['link'], what: string, watch: Omit<Watch, 'strike' | 'when'>): Point {
  return { name: `${way}: ${what}`, way, link, watch: { ...watch, when: 'before' } }
}
