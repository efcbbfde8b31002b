import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Dice, dice } from '../../scripts/dice.ts'
import { SCOPES, type Scope } from '../../src/key.ts'
import { freshKey } from '../api/keys.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { clean, type Drill, type Tally, type Trial } from './drill.ts'

/** What each address needs, written down by hand: the documentation of the service is held against it. */
const NEEDS: Record<string, Scope> = {
  'put /{figura}/_bulk': 'submit',
  'get /{figura}/_bulk': 'read',
  'get /{figura}/_bulk/status/{id}': 'read',
  'get /{figura}/_bulk/{id}/log': 'read',
  'get /{figura}/_bulk/{id}/rejects': 'read',
  'get /figuras/{figura}': 'read',
  'delete /{figura}/_bulk/{id}': 'cancel',
  'post /{figura}/_bulk/{id}/retry': 'submit',
  'post /{figura}/_bulk/pause': 'operate',
  'post /{figura}/_bulk/resume': 'operate',
}

/** Names that share no part with another text of an answer. */
const FIGURAS = ['alfaces', 'beterrabas'] as const
const NOBODY = 'cenouras'
const BROKEN = 'damascos'

type Role = { name: string; valid: boolean; headers: Record<string, string>; grants: Record<string, Scope[]> }
type Call = { address: string; figura: string; job: { figura: string; id: string } }

/** Every role asks every address, for its own figuras, for others and for none: each answer is that of the table. */
export const authorisation: Drill = {
  name: 'authorisation',
  about:
    'keys of all scopes, and none, at every address, with jobs of other figuras: exactly the answers of the matrix',
  runs: { small: 600, full: 20_000 },
  async run(trial) {
    const none = String(1e9)
    await using rig = await startRig({
      env: {
        AUTH: 'keys',
        ROLE: 'api',
        RATE_PER_SECOND: '1000000',
        RATE_BURST: '1000000',
        QUEUE_MAX_JOBS: none,
      },
    })
    for (const figura of FIGURAS) rig.writeFigura(figura, '  id: { type: bigint }', 's3://nowhere/')
    writeFileSync(join(rig.figuras, `${BROKEN}.yaml`), 'description: 7\n')
    const drill = await prepare(rig)
    const tally = clean()
    const random = dice(trial.seed, 0)
    for (let run = 0; run < trial.runs; run++) await drill.once(random, tally, trial)
    tally.unexpected += await strayJobs(rig, drill.roles, trial)
    return tally
  },
}

async function prepare(rig: Rig) {
  const roles = await makeRoles(rig)
  const admin = await freshKey(rig.sql, { '*': [...SCOPES] })
  const ask = asker(rig.service.url)
  const jobs: Call['job'][] = []
  for (const figura of FIGURAS) {
    const address = 'put /{figura}/_bulk'
    const { body } = await ask({ address, figura, job: { figura, id: '' } }, admin.headers)
    jobs.push({ figura, id: String(JSON.parse(body).id) })
  }
  jobs.push({ figura: '', id: Bun.randomUUIDv7() }, { figura: '', id: 'no-id' })
  const addresses = await documented(rig.service.url, admin.headers)
  const once = async (random: Dice, tally: Tally, { say }: Trial) => {
    const role = random.one(roles)
    const figura = random.one([...FIGURAS, BROKEN, NOBODY])
    const call = { address: random.one(addresses), figura, job: random.one(jobs) }
    const answer = await ask(call, role.headers)
    const wanted = expected(role, call)
    const told = `${role.name}: ${call.address} of ${figura}, job of ${call.job.figura}: ${answer.status}`
    if (!wanted.includes(answer.status)) {
      tally.unexpected++
      say(`${told}, expected ${wanted.join(' or ')}: ${answer.body}`)
    }
    const hidden = [...FIGURAS, BROKEN].filter((name) => name !== figura && !knows(role, name))
    if (hidden.some((name) => answer.body.includes(name))) {
      tally.leaked++
      say(`${told} tells of a figura that the key does not know: ${answer.body}`)
    }
  }
  return { roles, once }
}

/** Each set of scopes for one figura, for the other, and for all; and what is no valid key. */
async function makeRoles({ sql }: Rig): Promise<Role[]> {
  const roles: Role[] = []
  const sets = Array.from({ length: 2 ** SCOPES.length }, (_, bits) =>
    SCOPES.filter((_, at) => bits & (1 << at)),
  )
  for (const place of [...FIGURAS, '*']) {
    for (const scopes of sets) {
      const grants = { [place]: scopes }
      const { headers } = await freshKey(sql, grants)
      roles.push({ name: `${place}:${scopes.join(',')}`, valid: true, headers, grants })
    }
  }
  const [own, all] = [['cancel' as const], ['read' as const]]
  const both = { [FIGURAS[0]]: own, '*': all }
  roles.push({ name: 'two grants', valid: true, headers: (await freshKey(sql, both)).headers, grants: both })
  const full = { '*': [...SCOPES] }
  const [expired, revoked, other] = [
    await freshKey(sql, full),
    await freshKey(sql, full),
    await freshKey(sql, full),
  ]
  await sql`update bulk.api_key set expires_at = now() - interval '1 hour' where id = ${expired.id}`
  await sql`update bulk.api_key set revoked_at = now() where id = ${revoked.id}`
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
  const wrong = { 'no key': {}, expired: expired.headers, revoked: revoked.headers }
  const forged = bearer(other.text.slice(0, -43) + 'A'.repeat(43))
  const invalid = { ...wrong, forged, 'no Bearer': { authorization: other.text }, empty: bearer('bulk__') }
  for (const [name, headers] of Object.entries(invalid))
    roles.push({ name, valid: false, headers, grants: {} })
  return roles
}

function knows({ grants }: Role, figura: string): boolean {
  return [figura, '*'].some((place) => (grants[place] ?? []).length > 0)
}

/** The statuses that are right; more than one where it depends on what befell the job before. */
function expected(role: Role, { address, figura, job }: Call): number[] {
  const need = NEEDS[address]
  if (!need) return []
  if (!role.valid) return [401]
  if (!knows(role, figura)) return [404]
  if (![figura, '*'].some((place) => (role.grants[place] ?? []).includes(need))) return [403]
  if (address.includes('{id}')) {
    if (job.figura !== figura) return [404]
    return address.startsWith('get') ? [200] : [200, 202, 409]
  }
  if (figura === NOBODY) return [404]
  if (address === 'get /{figura}/_bulk') return [200]
  if (figura === BROKEN) return address.startsWith('post') ? [200, 202, 409] : [409]
  return address.startsWith('put') ? [202] : [200, 202]
}

function asker(url: string) {
  return async ({ address, figura, job }: Call, headers: Record<string, string>) => {
    const [method = '', path = ''] = address.split(' ')
    const body = method === 'put' ? JSON.stringify({ url: `s3://nowhere/${figura}.parquet` }) : undefined
    const target = url + path.replace('{figura}', figura).replace('{id}', job.id)
    for (;;) {
      const answer = await fetch(target, { method: method.toUpperCase(), headers, body })
      const text = await answer.text()
      // looks for keys that there are not are so many a second
      if (answer.status !== 429) return { status: answer.status, body: text }
      await Bun.sleep(Number(answer.headers.get('retry-after')) * 1000)
    }
  }
}

/** The addresses of a figura, as the service documents them: one that is not in the table fails every try. */
async function documented(url: string, headers: Record<string, string>): Promise<string[]> {
  const { paths } = (await (await fetch(`${url}/docs/json`, { headers })).json()) as {
    paths: Record<string, object>
  }
  const addresses = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  const found = addresses.filter((address) => address.includes('{figura}'))
  if (found.length < 6) throw new Error(`the service documents only ${found.join(', ')}`)
  return found
}

/** Jobs that came by a key that may not send files for their figura. */
async function strayJobs({ sql }: Rig, roles: Role[], { say }: Trial): Promise<number> {
  const rows = await sql`
    select job.id, job.figura, key.grants from bulk.job left join bulk.api_key key on key.id = job.caller`
  const stray = rows.filter(
    ({ figura, grants }) => ![figura, '*'].some((place) => (grants?.[place] ?? []).includes('submit')),
  )
  for (const { id, figura } of stray) say(`the job ${id} of ${figura} came by a key that may not send it`)
  return stray.length + (roles.length < 50 ? 1 : 0)
}
