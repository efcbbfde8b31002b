import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { follow, read, submit } from './follow.ts'
import { progressLine, summary } from './progress.ts'
import { amount, step } from './steps.ts'
import { jsonToParquet } from './to-parquet.ts'
import { sha256, upload } from './upload.ts'

// An exporter, complete and small enough to begin your own with: JSON -> parquet -> bucket -> PUT
// /{figura}/_bulk -> status. Exits 0 when the job is `completo`, 1 when anything failed, 2 when it was called
// in a wrong way.

const USAGE = `Usage: bun scripts/exporta.ts FILE.json FIGURA --api URL --bucket NAME [options]

  --api URL           the service (or BULK_API)
  --bucket NAME       where the file is uploaded
  --key KEY           its name there (else FIGURA/FILE-<time>.parquet)
  --endpoint URL      the S3 server, when it is not AWS (or S3_ENDPOINT)
  --region NAME       its region (or S3_REGION; else us-east-1)
  --rows-per-group N  rows of a row group of the file (else 122880)
  --zone NAME         time zone of times that come without one (else UTC)
  --poll-ms N         never wait longer than this before asking for the status again
                      (else as long as Retry-After says)

Keys: BULK_KEY, with the scopes submit and read, for a service that asks for one;
for the bucket S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or what the AWS tools use.`

/** A column of the figura, as GET /figuras/{figura} tells it; `from` is its name in the file. */
type Column = { type: string; required: boolean; from: string }

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

async function exportFile(
  { json, figura, api, place, rowsPerGroup, zone, pollMaxMs }: Options,
  parquet: string,
) {
  const contract = await read<{ columns: Column[] }>(api, `/figuras/${encodeURIComponent(figura)}`)
  const columns = contract.columns.map(({ from, type, required }) => ({ name: from, type, required }))
  const file = await step(
    '  to parquet',
    () => jsonToParquet({ json, parquet, columns, rowsPerGroup, zone }),
    ({ rows, bytes, rowGroups }) =>
      `${amount(rows)} rows, ${rowGroups} row group${rowGroups === 1 ? '' : 's'}, ${size(bytes)}`,
  )
  if (file.unknown.length > 0)
    console.log(`  left out, since the figura has no such column: ${file.unknown.join(', ')}`)
  if (file.absent.length > 0)
    console.log(`  left out, since no record has such a field: ${file.absent.join(', ')}`)
  const sum = await sha256(parquet)
  const url = await step('  upload', () => upload(parquet, place))
  console.log(`  ${url}`)
  const statusUrl = await step(`  PUT /${figura}/_bulk`, () => submit(api, figura, { url, sha256: sum }))
  console.log(`  ${new URL(statusUrl).pathname}`)
  const progress = progressLine(process.stdout)
  const job = await follow(statusUrl, { pollMaxMs, onStatus: progress.show }).finally(progress.end)
  for (const line of summary(job)) console.log(line)
  return job.status === 'completo' ? 0 : 1
}

function readOptions(args: string[], env: Record<string, string | undefined>) {
  const { values, positionals } = parsed(args)
  const [json, figura] = positionals
  if (values.help) end(0, USAGE)
  const api = values.api ?? env.BULK_API
  const bucket = values.bucket
  if (!json || !figura || positionals.length > 2)
    end(2, `exporta: expected FILE.json and FIGURA.\n\n${USAGE}`)
  if (!api || !URL.canParse(api))
    end(2, 'exporta: --api: expected the address of the service, as http://host:3000')
  if (!bucket) end(2, 'exporta: --bucket: expected the name of the bucket that the file is uploaded to')
  if (!existsSync(json)) end(2, `exporta: ${json}: there is no such file`)
  // every export under a new name: a file that is overwritten while it is read ends the job
  const stem = basename(json, '.json').replaceAll(/[^A-Za-z0-9._-]/g, '-')
  const name = `${stem}-${new Date().toISOString().replaceAll(/[-:.]/g, '')}.parquet`
  const region = values.region ?? env.S3_REGION ?? env.AWS_REGION ?? 'us-east-1'
  return {
    json,
    figura,
    api,
    place: {
      endpoint: values.endpoint ?? env.S3_ENDPOINT,
      region,
      bucket,
      key: values.key ?? `${figura}/${name}`,
    },
    rowsPerGroup: wholeNumber('--rows-per-group', values['rows-per-group']),
    zone: values.zone,
    pollMaxMs: wholeNumber('--poll-ms', values['poll-ms']),
  }
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        api: { type: 'string' },
        bucket: { type: 'string' },
        key: { type: 'string' },
        endpoint: { type: 'string' },
        region: { type: 'string' },
        'rows-per-group': { type: 'string', default: '122880' },
        zone: { type: 'string', default: 'UTC' },
        'poll-ms': { type: 'string', default: '60000' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return end(2, `exporta: ${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  }
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    end(2, `exporta: ${option}: found "${text}", expected a whole number`)
  return value
}

function end(code: 0 | 2, text: string): never {
  console[code === 0 ? 'log' : 'error'](text)
  process.exit(code)
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
