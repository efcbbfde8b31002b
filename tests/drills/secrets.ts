import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Dice, dice } from '../../scripts/dice.ts'
import { startNats } from '../../scripts/nats.ts'
import { insertKey } from '../../src/db/keys.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { makeKey, SCOPES } from '../../src/key.ts'
import { writeParquet } from '../support/parquet.ts'
import {
  type FreshDatabase,
  freshBucket,
  freshDatabase,
  freshFolder,
  freshStream,
  servers,
} from '../support/servers.ts'
import { type Service, startService } from '../support/service.ts'
import { startBroken } from './broken-start.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'
import { LIES, startLyingServer } from './lying-server.ts'
import { type Canaries, listenToNats, lookIntoFiles, lookIntoTables, openSinks, type Sinks } from './sinks.ts'

/** Canaries stand for every secret that the service is given; then all that it says and keeps is looked through. */
export const secrets: Drill = {
  name: 'secrets',
  about: 'canaries as signatures, keys and passwords, through success and every failure: none is ever seen',
  runs: { small: 1, full: 20 },
  run,
}

async function run({ seed, runs, say }: Trial): Promise<Tally> {
  const tally = clean()
  for (let round = 0; round < runs; round++) {
    const found = await tellSecrets(dice(seed, round), round % 2 === 0, say)
    tally.leaked += found.length
    for (const one of found) say(one)
  }
  return tally
}

async function tellSecrets(random: Dice, preflight: boolean, say: Trial['say']): Promise<string[]> {
  const canary = () =>
    Array.from({ length: 30 }, () => 'abcdefghijkmnpqrstuvwxyz23456789'.charAt(random.below(32))).join('')
  const names = ['signature', 'token', 'userinfo', 'S3 secret', 'database', 'NATS'] as const
  const canaries = Object.fromEntries(names.map((name) => [name, `canary${canary()}`])) as Record<
    (typeof names)[number],
    string
  >
  const key = randomBytes(32)
  const caller = makeKey()
  const sinks = openSinks({
    ...canaries,
    'API key': caller.text.slice(-43),
    SECRET_KEY: key.toString('base64'),
    'SECRET_KEY in hex': key.toString('hex'),
  })
  await using folder = asyncFolder()
  const nats = await startNats({
    dir: join(folder.path, 'nats'),
    login: { user: 'bulk', password: canaries.NATS },
  })
  const database = await databaseOf(canaries.database)
  try {
    await keepKey(database.url, caller)
    const heard = await listenToNats(nats.url, { user: 'bulk', pass: canaries.NATS }, sinks)
    const env = {
      S3_SECRET_ACCESS_KEY: canaries['S3 secret'],
      SECRET_KEY: key.toString('base64'),
      AUTH: 'keys',
      PREFLIGHT_MS: preflight ? '2000' : '0',
      ATTEMPTS: '1',
      SOURCE_IDLE_SECONDS: '1',
    }
    const natsUrl = nats.url.replace('//', `//bulk:${canaries.NATS}@`)
    const figuras = join(folder.path, 'figuras')
    mkdirSync(figuras)
    const service = await startService({
      databaseUrl: database.url,
      stream: freshStream(),
      natsUrl,
      figurasDir: figuras,
      env,
    })
    try {
      sinks.look('a refusal', JSON.stringify(await service.get(`/figuras?key=${caller.text}`)))
      service.headers.authorization = `Bearer ${caller.text}`
      await sendAll({ service, database, figuras, folder: folder.path, canaries, sinks })
      if (heard.messages() < 10) say(`only ${heard.messages()} messages of NATS were heard`)
    } finally {
      await service.stop()
    }
    sinks.look('the log', JSON.stringify(service.lines) + service.errors.join(''))
    await startBroken({ canaries, databaseUrl: database.url, natsUrl: nats.url, figuras }, sinks)
    await lookIntoTables(database.sql, sinks)
    const [left] = await database.sql`select count(*)::int as jobs from bulk.job where secret is not null`
    await heard.close()
    lookIntoFiles(join(servers.dir, '../postgres'), 'the files of PostgreSQL', openLogOnly(sinks))
    return [...sinks.found(), ...(left?.jobs ? [`${left.jobs} jobs have ended and keep their secret`] : [])]
  } finally {
    await database.drop()
    await nats.stop()
  }
}

/** The data of PostgreSQL hold what was sealed, and its own scram secrets; its log is what people read. */
function openLogOnly(sinks: Sinks): Sinks {
  return { ...sinks, look: (place, text) => (text.includes('LOG:  ') ? sinks.look(place, text) : undefined) }
}

type Stage = {
  service: Service
  database: FreshDatabase
  figuras: string
  folder: string
  canaries: Canaries
  sinks: Sinks
}

async function sendAll({ service, database, figuras, folder, canaries, sinks }: Stage): Promise<void> {
  await using server = await startLyingServer()
  const bucket = await freshBucket()
  const path = join(folder, 'a.parquet')
  await writeParquet(path, `select i as id, md5(i::varchar) as nome from range(20000) t(i)`, {
    rowGroupRows: 2048,
  })
  const content = readFileSync(path)
  await bucket.put('a.parquet', content)
  const sources = [`${server.origin}/`, bucket.url(''), 'http://127.0.0.1:9/', 'https://nome.invalid/']
  const write = (name: string, key: string) =>
    writeFileSync(
      join(figuras, `${name}.yaml`),
      `description: a\ntable: public.${name}\nkey: [${key}]\ncolumns: { ${key}: { type: bigint } }\n` +
        `sources: ${JSON.stringify(sources)}\n`,
    )
  write('coisas', 'id')
  write('outras', 'falta')
  const query = `?X-Amz-Signature=${canaries.signature}&X-Amz-Security-Token=${canaries.token}%2F`
  const lies = Object.keys(LIES).map((lie, no) => server.put(lie, `${no}.parquet${query}`, content))
  const good = lies[0] ?? ''
  const refused = [
    `${server.origin}/falta${query}`,
    `http://127.0.0.1:9/a${query}`,
    `https://nome.invalid/a${query}`,
    `https://u:${canaries.userinfo}@nome.invalid/a`,
    `s3://u:${canaries.userinfo}@balde/a`,
    `${bucket.url('a.parquet')}${query}`,
    `https://outro.exemplo.com/a${query}`,
    `ftp://h/a${query}`,
    `${server.origin}/a b${query}`,
    `${good}#${canaries.token}`,
    `${good}${String(canaries.signature).repeat(400)}`,
  ]
  const bodies: [string, unknown][] = [
    ...[...lies, ...refused, bucket.url('a.parquet')].map((url): [string, unknown] => ['coisas', { url }]),
    ['outras', { url: good }],
    ['nenhuma', { url: good }],
    ['coisas', { url: good, sha256: '0'.repeat(64) }],
    ['coisas', { url: good, mode: 'replace' }],
    ['coisas', { url: good, dry_run: 'impact' }],
    ['coisas', { urls: [good, lies[3]] }],
    ['coisas', { urls: [good, good] }],
    ['coisas', { url: good, urls: [good] }],
    ['coisas', { url: [good] }],
    ['coisas', { link: good }],
    ['coisas', good],
  ]
  const looking = every(300, () => lookIntoTables(database.sql, sinks))
  await Promise.all(bodies.map(([figura, body]) => follow({ service, sinks }, figura, body)))
  for (const place of ['/figuras', '/figuras/coisas', '/coisas/_bulk', '/readyz', '/docs/json'])
    sinks.look(place, JSON.stringify((await service.get(place)).body))
  await looking.stop()
}

/** Sends it, follows the job to its end, and looks at all that is answered on the way. */
async function follow(
  { service, sinks }: Pick<Stage, 'service' | 'sinks'>,
  figura: string,
  body: unknown,
): Promise<void> {
  const sent = await service.put(`/${figura}/_bulk`, body)
  sinks.look('the answer of a PUT', JSON.stringify([sent.body, ...sent.headers]))
  if (sent.status !== 202) return
  const { id, status_url } = sent.body
  sinks.look('a status', JSON.stringify((await service.get(String(status_url))).body))
  sinks.look('a status', JSON.stringify(await service.ended(String(status_url))))
  for (const part of ['log', 'rejects'])
    sinks.look(part, JSON.stringify((await service.get(`/${figura}/_bulk/${String(id)}/${part}`)).body))
}

function every(ms: number, work: () => Promise<void>): { stop(): Promise<void> } {
  let stopped = false
  const running = (async () => {
    while (!stopped) {
      await work()
      await Bun.sleep(ms)
    }
  })()
  return {
    stop: () => {
      stopped = true
      return running
    },
  }
}

async function keepKey(databaseUrl: string, { id, hash }: ReturnType<typeof makeKey>): Promise<void> {
  const sql = openPostgres(databaseUrl, { max: 1, name: 'drill' })
  const grants = { coisas: [...SCOPES], outras: [...SCOPES] }
  await insertKey(sql, {
    id,
    hash,
    name: 'drill',
    grants,
    days: null,
  })
  await sql.end({ timeout: 5 })
}

/** A database that is reached by a role with that password. */
async function databaseOf(password: string): Promise<FreshDatabase & { drop(): Promise<void> }> {
  const database = await freshDatabase()
  const role = `canary_${randomBytes(4).toString('hex')}`
  await database.sql.unsafe(`create role ${role} login superuser password '${password}'`)
  const url = new URL(database.url)
  Object.assign(url, { username: role, password })
  const drop = async () => {
    const admin = await freshDatabase()
    await database[Symbol.asyncDispose]()
    await admin.sql.unsafe(`drop role ${role}`)
    await admin[Symbol.asyncDispose]()
  }
  return { ...database, url: url.href, drop }
}

function asyncFolder(): AsyncDisposable & { path: string } {
  const folder = freshFolder()
  return { path: folder.path, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() }
}
