import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type postgres from 'postgres'
import type { JobLog } from '../src/api/load-schemas.ts'
import { read } from './follow.ts'

/** Some rows of the table, in columns. */
export async function someRows(sql: postgres.Sql): Promise<string> {
  const rows = await sql`
    select id, razao_social, municipio, uf, limite_credito, fundado_em::text
    from cadastro.fornecedores order by id limit 5`
  return inColumns(
    rows.map((row) => row),
    { right: ['id', 'limite_credito'], widthMax: 26 },
  )
}

/** What the service wrote down about a job: when, by which thread, and how long it took. */
export async function jobLog(api: string, id: string): Promise<string> {
  const { lines } = await read<JobLog>(api, `/fornecedores/_bulk/${id}/log`)
  const rows = lines.map(({ at, thread, phase, message, ms }) => ({
    at: at.slice(11, 23),
    thread,
    phase,
    message,
    ms,
  }))
  return inColumns(rows, { right: ['thread', 'ms'], widthMax: 40 })
}

/** The two streams and the consumer, as the JetStream API tells them, and the commands that tell the same. */
export async function queueReport(natsUrl: string): Promise<string> {
  const nc = await connect({ servers: natsUrl })
  try {
    const jsm = await jetstreamManager(nc)
    const { state: work } = await jsm.streams.info('BULK')
    const workers = await jsm.consumers.info('BULK', 'workers')
    const { state: events } = await jsm.streams.info('BULK_EVENTS', { subjects_filter: '>' })
    const told = Object.entries(events.subjects ?? {}).map(
      ([subject, count]) => `    ${subject.padEnd(38)} ${count}`,
    )
    return [
      `  stream BULK: ${work.last_seq} messages have gone through it`,
      `  consumer workers: ${workers.num_pending} waiting, ${workers.num_ack_pending} in work`,
      `  stream BULK_EVENTS: ${events.messages} messages, by subject`,
      ...told,
      '  With ./scripts/dev running, and the NATS CLI:',
      ...['stream info BULK', 'stream subjects BULK', 'consumer info BULK workers'].map(
        (one) => `    nats ${one}`,
      ),
      ...['stream view BULK_EVENTS', "sub 'bulk.event.>'"].map((one) => `    nats ${one}`),
    ].join('\n')
  } finally {
    await nc.close()
  }
}

type Layout = { right: string[]; widthMax: number }

/** A table as psql draws it, by the width of the characters as they are shown; long values are cut. */
function inColumns(rows: Record<string, unknown>[], { right, widthMax }: Layout): string {
  const names = Object.keys(rows[0] ?? {})
  const cells = [names, ...rows.map((row) => names.map((name) => shown(row[name], widthMax)))]
  const widths = names.map((_, column) => Math.max(...cells.map((line) => Bun.stringWidth(line[column]!))))
  const draw = (line: string[]) =>
    line.map((text, column) => {
      const space = ' '.repeat(widths[column]! - Bun.stringWidth(text))
      return right.includes(names[column]!) ? space + text : text + space
    })
  const lines = cells.map((line) => `  ${draw(line).join('  ')}`.trimEnd())
  const rule = `  ${widths.map((width) => '-'.repeat(width)).join('  ')}`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

function shown(value: unknown, widthMax: number): string {
  const text = value === null || value === undefined ? '' : String(value).replaceAll(/\s/g, ' ')
  if (Bun.stringWidth(text) <= widthMax) return text
  const letters = [...new Intl.Segmenter('pt').segment(text)].map((one) => one.segment)
  while (Bun.stringWidth(letters.join('')) >= widthMax) letters.pop()
  return `${letters.join('')}…`
}
