import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interruption, startChild } from './child.ts'
import { type Embedded, startEmbedded } from './embedded.ts'

// Runs `bun test` against real servers that live as long as it does. The last line is `N passed, N failed`.
const dir = mkdtempSync(join(tmpdir(), 'bulk-test-'))
const report = join(dir, 'report.xml')
const stopped = interruption()
process.exitCode = await run().finally(() => rmSync(dir, { recursive: true, force: true }))

async function run(): Promise<number> {
  const embedded = await startEmbedded({ dir, persistent: false })
  try {
    const code = await bunTest(testEnvironment(embedded))
    return code === undefined ? 130 : summarise(code)
  } finally {
    await embedded.stop()
  }
}

/** The exit code of `bun test`; undefined when somebody stopped it. */
async function bunTest(env: Record<string, string>): Promise<number | undefined> {
  const reporter = ['--reporter=junit', `--reporter-outfile=${report}`]
  const child = startChild({
    command: [process.execPath, 'test', '--timeout=60000', ...reporter, ...process.argv.slice(2)],
    signal: 'TERM',
    env: { ...process.env, ...env },
  })
  const code = await Promise.race([child.exited, stopped.then(() => undefined)])
  if (code === undefined) await child.stop()
  return code
}

function testEnvironment({ postgres, nats, bucket }: Embedded): Record<string, string> {
  const files = join(dir, 'files')
  mkdirSync(files)
  return {
    TEST_DIR: files,
    TEST_DATABASE_URL: postgres.url,
    TEST_NATS_URL: nats.url,
    TEST_S3_ENDPOINT: bucket.endpoint,
    TEST_S3_REGION: bucket.region,
    TEST_S3_ACCESS_KEY_ID: bucket.accessKeyId,
    TEST_S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    // tests open DuckDB themselves, several at once: each running query holds a thread of Bun's native pool
    UV_THREADPOOL_SIZE: '32',
  }
}

/** Prints what the report counts. Answers 0 only when tests ran, all of them passed, and `bun test` says so too. */
function summarise(code: number): number {
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
