import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type postgres from 'postgres'

/** Secrets by their names; none of them may be found anywhere. */
export type Canaries = Record<string, string>

/** Where secrets are looked for. Each place is told once. */
export type Sinks = {
  /** Looks at a text. */
  look(place: string, text: string): void
  found(): string[]
}

/** Looks for each canary as it is, and as it would look in base64, in hexadecimal, and in an address. */
export function openSinks(canaries: Canaries): Sinks {
  const found = new Set<string>()
  const forms = Object.entries(canaries).flatMap(([name, text]) => {
    const bytes = Buffer.from(text)
    // an end of 3 × n bytes is the same in base64 wherever it stands
    const base64 = [0, 1, 2].map((skip) => bytes.subarray(skip, skip + 12).toString('base64'))
    const written = [text, encodeURIComponent(text), bytes.toString('hex'), ...base64]
    return [...new Set(written)].map((form) => [name, form] as const)
  })
  return {
    look: (place, text) => {
      for (const [name, form] of forms) if (text.includes(form)) found.add(`${name} in ${place}`)
    },
    found: () => [...found],
  }
}

/** Every row of every table of the service, and what its sessions are about, as text. */
export async function lookIntoTables(sql: postgres.Sql, sinks: Sinks): Promise<void> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('bulk', 'bulk_stage')`
  for (const { name } of tables) {
    // a stage may go in between
    const rows = await sql.unsafe<{ text: string }[]>(`select t::text as text from ${name} t`).catch(() => [])
    for (const { text } of rows) sinks.look(`the table ${name.replace(/_stage\..*/, '_stage')}`, text)
  }
  const sessions = await sql<{ text: string }[]>`select a::text as text from pg_stat_activity a`
  for (const { text } of sessions) sinks.look('pg_stat_activity', text)
}

/** Every message on any subject from now on, and at the end those that the streams keep. */
export async function listenToNats(url: string, login: { user: string; pass: string }, sinks: Sinks) {
  const nc = await connect({ servers: url, ...login })
  let messages = 0
  nc.subscribe('>', {
    callback: (_, message) => {
      messages++
      const headers = [...(message.headers ?? [])].join()
      sinks.look('a message of NATS', `${message.subject} ${headers} ${message.string()}`)
    },
  })
  await nc.flush()
  return {
    messages: () => messages,
    close: async () => {
      const jsm = await jetstreamManager(nc)
      for await (const { config, state } of jsm.streams.list()) {
        sinks.look('a stream of NATS', JSON.stringify(config))
        for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
          const message = await jsm.streams.getMessage(config.name, { seq }).catch(() => null)
          if (message) sinks.look('a stream of NATS', `${message.subject} ${message.string()}`)
        }
      }
      await nc.close()
    },
  }
}

/** Every file under a folder. */
export function lookIntoFiles(folder: string, place: string, sinks: Sinks): void {
  for (const entry of unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) lookIntoFiles(path, place, sinks)
    const text = entry.isFile() ? unlessGone(() => readFileSync(path, 'latin1')) : undefined
    if (text !== undefined) sinks.look(place, text)
  }
}

/** Where others work in a folder too, their files come and go. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
