import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withServers } from './with-servers.ts'

// Runs `bun test` against real servers that live as long as it does. The last line is `N passed, N failed`.
process.exitCode = await withServers(
  (dir) => [
    'test',
    '--timeout=60000',
    '--parallel=2',
    '--max-concurrency=2',
    '--reporter=junit',
    `--reporter-outfile=${reportOf(dir)}`,
    ...process.argv.slice(2),
  ],
  (code, dir) => (code === undefined ? 130 : summarise(code, reportOf(dir))),
)

function reportOf(dir: string): string {
  return join(dir, 'report.xml')
}

/** Prints what the report counts. Answers 0 only when tests ran, all of them passed, and `bun test` says so too. */
function summarise(code: number, report: string): number {
  const xml = existsSync(report) ? readFileSync(report, 'utf8') : ''
  const root = /<testsuites [^>]*>/.exec(xml)?.[0] ?? ''
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? 0)
  const skipped = count('skipped')
  // a file that does not load, or a crash, fails the run without being a test of the report
  const failed = Math.max(count('failures'), code === 0 ? 0 : 1)
  const passed = count('tests') - count('failures') - skipped
  const ran = passed > 0
  if (code !== 0 && count('failures') === 0)
    console.error(`bun test ended with code ${code}; it says why above.`)
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return ran && failed === 0 ? 0 : 1
}
