import type { JobStatus } from './follow.ts'
import { amount } from './steps.ts'

const BAR_WIDTH = 30

/** Shows how a job fares: one line that is drawn over on a terminal, else a line for each change. */
export function progressLine(out: NodeJS.WriteStream): { show(job: JobStatus): void; end(): void } {
  let last = ''
  return {
    show: (job) => {
      const line = describe(job)
      if (line === last) return
      last = line
      out.write(out.isTTY ? `\r\x1b[2K${line}` : `${line}\n`)
    },
    end: () => void (out.isTTY && last && out.write('\n')),
  }
}

/** What the job did, or why it did nothing, for people to read. */
export function summary(job: JobStatus): string[] {
  const { queue, plan, stage, merge, total } = job.timings_ms
  if (job.status !== 'completo') {
    const why = job.error ? `${job.error.code}: ${job.error.detail}` : 'the service gives no reason'
    return [`  ${job.status}: ${why}`, ...listed(job.error)]
  }
  const stats = Object.entries(job.stats).map(([name, rows]) => `${name} ${amount(rows)}`)
  return [
    `  ${stats.join('   ')}`,
    `  queue ${queue} + plan ${plan} + stage ${stage} + merge ${merge} = ${total} ms in all`,
  ]
}

function describe({ status, phase, progress }: JobStatus): string {
  const { percent, rows } = progress
  const filled = Math.round((percent / 100) * BAR_WIDTH)
  const bar = '#'.repeat(filled) + '-'.repeat(BAR_WIDTH - filled)
  const counted = rows.total === null ? '' : `  ${amount(rows.done)} of ${amount(rows.total)} rows`
  return `  [${bar}] ${percent.toFixed(0).padStart(3)} %  ${phase ?? status}${counted}`
}

/** A file that does not fit has a list of differences, each with what mends it. */
function listed(error: JobStatus['error']): string[] {
  const differences =
    error && 'differences' in error && Array.isArray(error.differences) ? error.differences : []
  return differences.map(
    (one) => `    ${one.column}: found ${one.found}, expected ${one.expected}; ${one.fix}`,
  )
}
