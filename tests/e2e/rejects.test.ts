import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startRig, type Rig } from '../support/rig.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig({ env: { PREFLIGHT_MS: '2000' } })
})
afterAll(() => rig[Symbol.asyncDispose]())

const COLUMNS = `  id: { type: bigint }
  uf: { type: char(2), required: true, from: [estado, uf], enum: [SP, RJ] }
  limite: { type: integer, min: 0 }
  senha: { type: text, pattern: '^.{4}$', sensitive: true }`

/** Rows 3, 6 and 9 break the enum, row 5 the minimum, row 7 the pattern. */
const SELECT = `select i as id, case when i % 3 = 0 then 'XX' else 'SP' end as estado,
  case when i = 5 then -1 else i end::integer as limite, case when i = 7 then 'segredo' else '1234' end as senha
  from range(1, 11) t(i)`

describe('rows that are left out of a load', () => {
  test('are told by the job, and can be had in every way', async () => {
    const name = figura('rejects: { max_rows: 5 }')
    const { url } = await rig.putFile(name, SELECT)
    const job = await rig.service.load(name, url)
    expect(job).toMatchObject({
      status: 'completo',
      stats: { read: 10, rejected: 5, staged: 5, inserted: 5 },
    })
    const { by, url: place } = Object(job.rejects)
    expect(by).toEqual([
      {
        column: 'uf',
        rule: 'enum',
        count: 3,
        examples: [3, 6, 9].map((row) => ({ file: 0, row, value: 'XX' })),
      },
      { column: 'limite', rule: 'min', count: 1, examples: [{ file: 0, row: 5, value: '-1' }] },
      { column: 'senha', rule: 'pattern', count: 1, examples: [{ file: 0, row: 7, value: null }] },
    ])
    const { body } = await rig.service.get(place)
    expect(Object(body.rejects).map(({ row }: { row: number }) => row)).toEqual([3, 5, 6, 7, 9])
    const csv = await (await fetch(`${rig.service.url}${place}?format=csv`)).text()
    expect(csv.split('\r\n').slice(0, 2)).toEqual([
      'id,estado,limite,_file,_row,_column,_rule,_reason',
      expect.stringMatching(/^3,XX,3,0,3,uf,enum,"?found /),
    ])
    expect(JSON.stringify(job) + JSON.stringify(body) + csv).not.toContain('segredo')
  })

  test('and are one too many end the job in erro, which tells them too', async () => {
    const name = figura('rejects: { max_rows: 4 }')
    const { url } = await rig.putFile(name, SELECT)
    const job = await rig.service.load(name, url)
    expect(job).toMatchObject({ status: 'erro', error: { code: 'too_many_rejected' } })
    const { count, by, url: place } = Object(job.rejects)
    expect([count, by.length]).toEqual([5, 3])
    const { body } = await rig.service.get(place)
    expect(Object(body.rejects).map(({ row }: { row: number }) => row)).toEqual([3, 5, 6, 7, 9])
    expect(JSON.stringify(job) + JSON.stringify(body)).not.toContain('segredo')
  })
})

describe('a trial', () => {
  test.each(['schema', 'rows', 'impact'])('of kind %s leaves the table as it is', async (dryRun) => {
    const name = figura('rejects: { max_rows: 5 }')
    const { url } = await rig.putFile(name, SELECT)
    const job = await rig.service.load(name, url, { dry_run: dryRun })
    expect(job).toMatchObject({ status: 'completo', dry_run: dryRun })
    expect(job.impact === null).toBe(dryRun !== 'impact')
    if (dryRun !== 'schema')
      expect(job).toMatchObject({ stats: { read: 10, rejected: 5 }, rejects: { count: 5 } })
    const [row] = await rig.sql`select to_regclass(${`public.${name}`}) is null as missing`
    if (row?.missing === false) {
      const [{ count } = { count: -1 }] = await rig.sql`select count(*)::int as count from ${rig.sql(name)}`
      expect(count).toBe(0)
    }
  })
})

test('files that a pattern finds are loaded as one', async () => {
  const name = figura()
  await rig.putFile(`${name}-a`, `select i as id, 'SP' as uf from range(3) t(i)`)
  await rig.putFile(`${name}-b`, `select i as id, 'RJ' as uf from range(3, 8) t(i)`)
  const job = await rig.service.load(name, rig.bucket.url(`${name}-*.parquet`))
  expect(job).toMatchObject({ status: 'completo', stats: { read: 8, inserted: 8 } })
  expect(job.files).toEqual([
    { url: rig.bucket.url(`${name}-a.parquet`), rows: 3, bytes: expect.any(Number) },
    { url: rig.bucket.url(`${name}-b.parquet`), rows: 5, bytes: expect.any(Number) },
  ])
})

test('a file that a pattern finds alone is told with its rows and bytes', async () => {
  const name = figura()
  const { path } = await rig.putFile(`${name}-a`, `select i as id, 'SP' as uf from range(3) t(i)`)
  const job = await rig.service.load(name, rig.bucket.url(`${name}-*.parquet`))
  expect(job.files).toEqual([
    { url: rig.bucket.url(`${name}-a.parquet`), rows: 3, bytes: Bun.file(path).size },
  ])
})

test('two signed addresses of one file are refused, and nothing of their signatures is told', async () => {
  const name = figura('', new URL('.', (await rig.bucket.presign('x')).replace(/\?.*/, '')).href)
  const { url } = await rig.putFile(name, `select i as id, 'SP' as uf from range(3) t(i)`)
  const signed = await rig.bucket.presign(new URL(url).pathname.slice(1))
  const again = signed.replace(/X-Amz-Signature=\w+/, 'X-Amz-Signature=canary')
  const { status, body } = await rig.service.put(`/${name}/_bulk`, { urls: [signed, again] })
  expect([status, body.code]).toEqual([422, 'body_invalid'])
  expect(JSON.stringify(body)).toContain('a file that is there twice (addresses 1 and 2)')
  expect(JSON.stringify([body, rig.service.lines])).not.toMatch(/canary|X-Amz/)
})

/** A figura of its own; gives its name. */
function figura(more = '', source = rig.bucket.url('')): string {
  const name = `rejeita_${crypto.randomUUID().slice(0, 8)}`
  const head = `description: ${name}\ntable: public.${name}\nkey: [id]\ncolumns:\n${COLUMNS}\n${more}\n`
  writeFileSync(join(rig.figuras, `${name}.yaml`), `${head}sources: ['${source}']\n`)
  return name
}
