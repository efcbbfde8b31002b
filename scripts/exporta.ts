import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { follow, read, submit } from './follow.ts'
import { amount, progressLine, summary } from './progress.ts'
import { type FileColumn, jsonToParquet } from './to-parquet.ts'
import { sha256, upload } from './upload.ts'

// An exporter, complete and small enough to begin your own with: JSON -> parquet -> bucket -> PUT /{figura}/_bulk ->
// status. Exits 0 when the job is `completo`, 1 when anything failed, 2 when it was called in a wrong way.

const USAGE = `Usage: bun scripts/exporta.ts FILE.json FIGURA --api URL --bucket NAME [options]

  --api URL           the service (or BULK_API)
  --bucket NAME       where the file is uploaded
  --key KEY           its name there (else FIGURA/FILE-<time>.parquet)
  --endpoint URL      the S3 server, when it is not AWS (or S3_ENDPOINT)
  --region NAME       its region (or S3_REGION; else us-east-1)
  --rows-per-group N  rows of a row group of the file (else 122880)
  --zone NAME         time zone of times that come without one (else UTC)
  --poll-ms N         ask for the status at least so often (else as Retry-After says)

Keys: S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or what the AWS tools use.`

type Options = ReturnType<typeof readOptions>

const options = readOptions(process.argv.slice(2), process.env)
const folder = mkdtempSync(join(tmpdir(), 'exporta-'))
const clear = () => rmSync(folder, { recursive: true, force: true })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    clear()
    process.exit(130)
  })
}
try {
  process.exitCode = await exportFile(options, join(folder, 'export.parquet'))
} catch (error) {
  console.error(`exporta: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
} finally {
  clear()
}

async function exportFile({ json, figura, api, place, rowsPerGroup, zone, pollMaxMs }: Options, parquet: string) {
  const columns = await columnsOf(api, figura)
  const file = await timed(
    'converted to parquet',
    () => jsonToParquet({ json, parquet, columns, rowsPerGroup, zone }),
    ({ rows, bytes, rowGroups }) => `${amount(rows)} rows, ${rowGroups} row groups, ${(bytes / 1e6).toFixed(1)} MB`,
  )
  if (file.unknown.length > 0) console.log(`  left out, since the figura has no such column: ${file.unknown.join(', ')}`)
  if (file.absent.length > 0) console.log(`  null, since no record has such a field: ${file.absent.join(', ')}`)
  const sum = await sha256(parquet)
  const url = await timed('uploaded', () => upload(parquet, place), String)
  const statusUrl = await timed('announced', () => submit(api, figura, { url, sha256: sum }), new URL(api).pathname && (() => `PUT /${figura}/_bulk`))
  const progress = progressLine(process.stdout)
  const job = await follow(statusUrl, { pollMaxMs, onStatus: progress.show }).finally(progress.end)
  for (const line of summary(job)) console.log(line)
  return job.status === 'completo' ? 0 : 1
}
