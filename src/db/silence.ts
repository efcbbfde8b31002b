import postgres from 'postgres'

/** A connection of postgres.js, as our patch of it tells of it. */
export type Watched = {
  /** Of its backend. */
  pid: number
  open(): boolean
  /** Whether an answer is waited for. */
  busy(): boolean
  /** When the server was heard last, by performance.now(). */
  heard(): number
  /** Whether the next word is the server's: no COPY waits for our rows, or the network does not take them. */
  said(): boolean
  /** Closes it: whoever waits for an answer has an error. */
  drop(): void
}

/** What the server says of a backend. `idle`: it has nothing to do, for a while; `reads`: it waits for more of us. */
type Backend = { pid: number; idle: boolean; reads: boolean }

/**
 * How often it is looked whether connections are silent, when one is, and how long the server may take to say what it
 * does, in milliseconds. Two findings in a row count: a connection is given up 12 to 25 s after it was last heard.
 */
const LOOK_MS = 3000
const SILENT_MS = 6000
const ASK_MS = 6000
const FINDINGS = 2

/**
 * Gives up connections that nothing will come from any more, though nobody has closed them: a cable that was pulled, a
 * firewall that has forgotten a connection while an hour's MERGE was silent. TCP notices after 15 minutes, or never.
 * Silence alone says nothing, so the server is asked, over a connection of its own, whether it is at work for us.
 * Gives the function that takes a connection under watch.
 */
export function watchSilence(url: string, name: string): (connection: Watched) => void {
  const watched = new Map<Watched, number>()
  let timer: ReturnType<typeof setInterval> | undefined
  let looking = false

  const look = async () => {
    for (const connection of watched.keys()) if (!connection.open()) watched.delete(connection)
    if (watched.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
    const silent = [...watched.keys()].filter(isSilent)
    for (const connection of watched.keys()) if (!silent.includes(connection)) watched.set(connection, 0)
    if (silent.length === 0) return
    const dead = await findDead(url, name, silent)
    for (const connection of silent) {
      const findings =
        dead.includes(connection) && isSilent(connection) ? (watched.get(connection) ?? 0) + 1 : 0
      watched.set(connection, findings)
      if (findings >= FINDINGS) connection.drop()
    }
  }
  return (connection) => {
    watched.set(connection, 0)
    timer ??= setInterval(() => {
      if (looking) return
      looking = true
      void look().finally(() => (looking = false))
    }, LOOK_MS).unref()
  }
}

function isSilent(connection: Watched): boolean {
  return connection.open() && connection.busy() && performance.now() - connection.heard() > SILENT_MS
}

/** Those whose backend is gone, or waits as we do; all, when there is no way to the server. Never throws. */
async function findDead(url: string, name: string, silent: Watched[]): Promise<Watched[]> {
  let own: number | undefined
  const sql = postgres(url, {
    max: 1,
    connect_timeout: ASK_MS / 1000,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: `${name} watch`, statement_timeout: ASK_MS },
    onbackend: ({ pid }: Watched) => void (own = pid),
  } as Parameters<typeof postgres>[1])
  try {
    const late = Bun.sleep(ASK_MS).then(() => undefined)
    const asked = askBackends(sql, silent)
    asked.catch(() => {})
    const said = await Promise.race([asked, late])
    if (!said) return silent
    // a pooler stands in between: the numbers are its own
    if (said.own !== own) return []
    return silent.filter((connection) => {
      const backend = said.backends.find(({ pid }) => pid === connection.pid)
      return !backend || backend.idle || (backend.reads && connection.said())
    })
  } catch (error) {
    // a server that says no is there: it has no place for one more, or is about to stop
    return error instanceof postgres.PostgresError ? [] : silent
  } finally {
    void sql.end({ timeout: 0 }).catch(() => {})
  }
}

async function askBackends(
  sql: postgres.Sql,
  silent: Watched[],
): Promise<{ own: number; backends: Backend[] }> {
  const pids = silent.map(({ pid }) => pid).join()
  const rows = await sql<(Backend & { own: number })[]>`
    select pg_backend_pid() as own, pid,
      state like 'idle%' and state_change < clock_timestamp() - ${SILENT_MS / 2} * interval '1 millisecond' as idle,
      wait_event = 'ClientRead' as reads
    from pg_stat_activity where pid = any(string_to_array(${pids}, ',')::int[]) or pid = pg_backend_pid()
  `
  return { own: rows[0]?.own ?? 0, backends: [...rows] }
}
