import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dice } from '../../scripts/dice.ts'
import { duck } from '../support/parquet.ts'
import { type Rig, startRig } from '../support/rig.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'
import { LIES, sha256, startLyingServer } from './lying-server.ts'

/** A web server lies about files in every way we know; and files arrive with a single bit changed. */
export const sourceLies: Drill = {
  name: 'source-lies',
  about:
    'a server lies about lengths, ranges and versions, drips, cuts; single bits are flipped: never `completo`',
  runs: { small: 40, full: 5000 },
  run,
}

const ENV = {
  ATTEMPTS: '1',
  SOURCE_PATIENCE_SECONDS: '0',
  SOURCE_IDLE_SECONDS: '1',
  // several chunks, that both threads open by themselves
  CHUNK_ROWS: '8192',
  DIRECT_ROWS: '5000',
  FIRST_LOAD_ROWS: '0',
}
const COLUMNS = `  id: { type: bigint }\n  nome: { type: text }`
const ROWS = 40_000
/** Files that are on their way at the same time. */
const AT_ONCE = 8

type Server = Awaited<ReturnType<typeof startLyingServer>>
type Count = (what: string) => void

async function run({ seed, runs, say }: Trial): Promise<Tally> {
  const tally = clean()
  const count = (what: string) => {
    tally.unexpected++
    say(what)
  }
  await using rig = await startRig({ env: ENV })
  await using server = await startLyingServer()
  await tellLies(rig, server, count)
  await flipBits(rig, server, { seed, runs }, count)
  return tally
}

async function tellLies(rig: Rig, server: Server, count: Count): Promise<void> {
  const content = await parquet(rig, { rows: ROWS, seed: 0 })
  // of the same length and shape, so that one part of it fits into the other file
  const other = await parquet(rig, { rows: ROWS, seed: 1 })
  if (other.length !== content.length) throw new Error('the two files have not the same length')
  const names = Object.keys(LIES)
  for (const [no] of names.entries()) rig.writeFigura(`mentira_${no}`, COLUMNS, `${server.origin}/`)
  await inParallel(names.entries(), async ([no, lie]) => {
    const url = server.put(lie, 'a.parquet', content, other)
    // bytes that are other ones under the right headers can be told by their digest alone
    const announced = lie.startsWith('other bytes') ? { sha256: sha256(content) } : {}
    const { status } = await rig.service.load(`mentira_${no}`, url, announced)
    const truth = LIES[lie]?.truth
    const right = truth === 'perhaps' ? ['completo', 'erro'] : [truth ? 'completo' : 'erro']
    if (!right.includes(String(status))) count(`"${lie}" ended in ${status}, expected ${right.join(' or ')}`)
    const rows = await rowsOf(rig, `mentira_${no}`)
    if (rows !== (status === 'completo' ? ROWS : 0))
      count(`"${lie}" ended in ${status}, and left ${rows} rows`)
  })
}

async function flipBits(
  rig: Rig,
  server: Server,
  { seed, runs }: { seed: number; runs: number },
  count: Count,
): Promise<void> {
  const content = await parquet(rig, { rows: 200, seed: 0 })
  const announced = { sha256: sha256(content) }
  const random = dice(seed, 0)
  rig.writeFigura('bits', COLUMNS, `${server.origin}/`)
  await inParallel(Array.from({ length: runs }).keys(), async (no) => {
    const flipped = Uint8Array.from(content)
    const bit = random.below(content.length * 8)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const { status } = await rig.service.load('bits', server.put('honest', `bits-${no}`, flipped), announced)
    if (status !== 'erro') count(`bit ${bit} was flipped, and the job ended in ${status}`)
  })
  if ((await rowsOf(rig, 'bits')) > 0) count('rows of a damaged file are in the table')
  const { status } = await rig.service.load('bits', server.put('honest', 'whole', content), announced)
  if (status !== 'completo' || (await rowsOf(rig, 'bits')) !== 200) count(`the whole file ended in ${status}`)
}

/** Values that nothing compresses, of one length: a flipped bit is mostly another value, and the file parses. */
async function parquet(rig: Rig, { rows, seed }: { rows: number; seed: number }): Promise<Uint8Array> {
  const path = join(rig.folder, `${rows}-${seed}.parquet`)
  const connection = await duck()
  const select = `select i as id, md5((i + ${seed})::varchar) || md5(i::varchar) as nome from range(${rows}) t(i)`
  await connection.run(`copy (${select})
    to '${path}' (format parquet, compression uncompressed, row_group_size 8192)`)
  connection.closeSync()
  return readFileSync(path)
}

/** Rows that are what the file says; none where there is no table. Others count as one too many. */
async function rowsOf({ sql }: Rig, table: string): Promise<number> {
  const [found] = await sql`select to_regclass(${`public.${table}`}) is not null as there`
  if (!found?.there) return 0
  const [row] = await sql`
    select count(*)::int + coalesce(max((nome <> md5(id::text) || md5(id::text))::int), 0) as rows
    from ${sql(table)}`
  return Number(row?.rows)
}

async function inParallel<T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> {
  const left = all[Symbol.iterator]()
  const runner = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, runner))
}
