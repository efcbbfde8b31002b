import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { connect } from 'node:net'
import { rowsOf } from './duck.ts'
import type { Rig } from './rig.ts'

export type Machine = Record<'date' | 'cpu' | 'memory' | 'system' | 'versions' | 'data', string>

/** Where and with what it was measured. */
export async function describeMachine({ sql, duck, embedded, options }: Rig): Promise<Machine> {
  const [server] = await sql<{ version: string; buffers: string }[]>`
    select current_setting('server_version') as version, current_setting('shared_buffers') as buffers`
  const [reader] = await rowsOf(duck, 'select version() as version')
  const nats = await natsVersion(embedded.nats.port)
  const versions = [
    `Bun ${Bun.version}`,
    `PostgreSQL ${server?.version} (fsync on, shared_buffers ${server?.buffers})`,
    `NATS ${nats}`,
    `DuckDB ${String(reader?.version).replace('v', '')}`,
  ]
  const quick = options.quick ? ', quick: too small for the targets, which are of 2,000,000 rows' : ''
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ').concat(' UTC'),
    cpu: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${type()} ${release()}`,
    versions: versions.join(', '),
    data: `${options.rows.toLocaleString('en-US')} rows, seed ${options.seed}, ${options.runs} run(s)${quick}`,
  }
}

/** The server speaks first, and tells its version. */
function natsVersion(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (version: string) => {
      socket.destroy()
      resolve(version)
    }
    socket.once('data', (greeting) => done(/"version":"([^"]+)"/.exec(greeting.toString())?.[1] ?? 'unknown'))
    socket.once('error', () => done('unknown'))
  })
}
