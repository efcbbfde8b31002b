import { parseArgs } from 'node:util'
import { insertKey, type ListedKey, listKeys, revokeKey } from '../src/db/keys.ts'
import { isMigrated, migrate } from '../src/db/migrate.ts'
import { openPostgres, type Sql } from '../src/db/postgres.ts'
import { isFiguraName } from '../src/figura/load.ts'
import { type Grants, makeKey, SCOPES, type Scope } from '../src/key.ts'

// Makes, lists and revokes the keys of callers. It speaks to PostgreSQL, so whoever may run it is an administrator.

const USAGE = `bun run keys create --name NAME --grant FIGURA:SCOPE,… [--grant …] [--days N]
bun run keys list
bun run keys revoke ID

  --name   who has the key, for whoever reads the list
  --grant  what it may do with a figura, or with all of them: fornecedores:submit,read  *:read
           scopes: ${SCOPES.join(', ')}
  --days   how long it is valid; without it, until it is revoked

DATABASE_URL says where PostgreSQL is.`

/** The command line says something else than it may. */
class Misunderstood extends Error {}

process.exitCode = await main(process.argv.slice(2))

/** The exit code: 0 when it is done, 1 when it could not be, 2 when the command is not understood. */
async function main(args: string[]): Promise<number> {
  try {
    const work = readCommand(args)
    const url = process.env.DATABASE_URL
    if (!url)
      throw new Error('DATABASE_URL: found nothing, expected an address such as postgres://user@host/db')
    const sql = openPostgres(url, { max: 1, name: 'bulk keys' })
    try {
      if (!(await isMigrated(sql))) await migrate(url)
      await work(sql)
    } finally {
      await sql.end({ timeout: 5 })
    }
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return error instanceof Misunderstood ? 2 : 1
  }
}

function readCommand(args: string[]): (sql: Sql) => Promise<void> {
  const [command, ...rest] = args
  switch (command) {
    case 'create':
      return creation(rest)
    case 'list':
      return list
    case 'revoke':
      return revocation(rest)
    default:
      throw new Misunderstood(USAGE)
  }
}

function creation(args: string[]): (sql: Sql) => Promise<void> {
  const { name, grant = [], days } = options(args)
  if (!name) throw new Misunderstood('--name: found nothing, expected who has the key')
  if (grant.length === 0)
    throw new Misunderstood('--grant: found nothing, expected such as fornecedores:submit,read')
  const grants = readGrants(grant)
  const valid = days === undefined ? null : Number(days)
  if (valid !== null && !(Number.isInteger(valid) && valid > 0 && valid <= 36_500))
    throw new Misunderstood(`--days: found "${days}", expected a whole number from 1 to 36500`)
  return async (sql) => {
    const { text, ...digest } = makeKey()
    await insertKey(sql, { ...digest, name, grants, days: valid })
    console.error(`The key ${digest.id} of ${name}: ${shown(grants)}. It is shown this once:`)
    console.log(text)
  }
}

function options(args: string[]) {
  const known = {
    name: { type: 'string' },
    grant: { type: 'string', multiple: true },
    days: { type: 'string' },
  } as const
  try {
    return parseArgs({ args, options: known }).values
  } catch (error) {
    throw new Misunderstood(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  }
}

function readGrants(texts: string[]): Grants {
  const grants: Grants = {}
  for (const text of texts) {
    const [figura = '', scopes = ''] = text.split(':')
    if (figura !== '*' && !isFiguraName(figura))
      throw new Misunderstood(`--grant: found the figura "${figura}", expected its name, or * for all`)
    grants[figura] = [...new Set([...(grants[figura] ?? []), ...scopes.split(',').map(readScope)])]
  }
  return grants
}

function readScope(text: string): Scope {
  const scope = SCOPES.find((one) => one === text)
  if (scope) return scope
  throw new Misunderstood(`--grant: found the scope "${text}", expected ${SCOPES.join(', ')}`)
}

async function list(sql: Sql): Promise<void> {
  for (const key of await listKeys(sql)) console.log(lineOf(key))
}

function lineOf({ id, name, grants, createdAt, expiresAt, state }: ListedKey): string {
  const until = expiresAt ? `until ${day(expiresAt)}` : 'without end'
  return [id, state.padEnd(7), `made ${day(createdAt)}`, until, shown(grants), name].join('  ')
}

function revocation([id, ...more]: string[]): (sql: Sql) => Promise<void> {
  if (!id || more.length > 0) throw new Misunderstood('revoke: expected the id of one key; `list` shows them')
  return async (sql) => {
    if (!(await revokeKey(sql, id)))
      throw new Error(`revoke: found no key ${id}; \`list\` shows those that there are`)
    console.log(`The key ${id} is revoked; within 10 seconds no node takes it any more.`)
  }
}

function shown(grants: Grants): string {
  return Object.entries(grants)
    .map(([figura, scopes]) => `${figura}:${scopes.join(',')}`)
    .join(' ')
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}
