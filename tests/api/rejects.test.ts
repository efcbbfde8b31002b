import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { deleteOldRejects } from '../../src/db/rejects-read.ts'
import { freshFolder } from '../support/servers.ts'
import { type Api, figuraText, startApi } from './api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

const FIGURA = figuraText('coisas').replace(
  'sources:',
  () => `  senha: { type: text, sensitive: true }
rejects: { max_rows: 1000 }
sources:`,
)

describe('the status of a job that has left out rows', () => {
  test('counts them by column and rule, with examples', async () => {
    api.figura('coisas', FIGURA)
    const id = await job(7, (row) => (row <= 5 ? ['nome', 'required'] : ['preco', 'min']))
    const { body } = await api.ask(`/coisas/_bulk/status/${id}`)
    expect(body).toMatchObject({ stats: { rejected: 7 } })
    expect(body.rejects).toEqual({
      count: 7,
      by: [
        {
          column: 'nome',
          rule: 'required',
          count: 5,
          examples: [1, 2, 3].map((row) => ({ file: 0, row, value: `nome ${row}` })),
        },
        {
          column: 'preco',
          rule: 'min',
          count: 2,
          examples: [6, 7].map((row) => ({ file: 0, row, value: `-${row}.50` })),
        },
      ],
      url: `/coisas/_bulk/${id}/rejects`,
    })
  })

  test('never shows a value of a sensitive column, and none where the row as a whole is wrong', async () => {
    api.figura('coisas', FIGURA)
    const id = await job(2, (row) => (row === 1 ? ['senha', 'pattern'] : [null, 'vigencia']))
    const { body } = await api.ask(`/coisas/_bulk/status/${id}`)
    const { by } = Object(body.rejects)
    expect(by.map(({ examples }: { examples: { value: unknown }[] }) => examples[0]?.value)).toEqual([
      null,
      null,
    ])
  })

  test('in a list has their number alone', async () => {
    const id = await job(2, () => ['nome', 'required'])
    const { body } = await api.ask('/coisas/_bulk')
    const [listed] = Object(body.jobs)
    expect(listed.rejects).toEqual({ count: 2, by: null, url: `/coisas/_bulk/${id}/rejects` })
  })

  test('has them though the job ended in an error', async () => {
    const id = await job(2, () => ['nome', 'required'])
    await api.sql`update bulk.job set status = 'erro', rejected = null, rows_rejected = 2`
    const { body } = await api.ask(`/coisas/_bulk/status/${id}`)
    expect(body).toMatchObject({ stats: { rejected: null }, rejects: { count: 2, by: [{ count: 2 }] } })
  })
})

describe('the rows that a job has left out', () => {
  test('come in pages, in the order of the files', async () => {
    const id = await job(5, () => ['nome', 'required'])
    await api.sql`update bulk.reject set file = 1 where "row" <= 2`
    const rows: [number, number][] = []
    let path = `/coisas/_bulk/${id}/rejects?limit=2`
    for (;;) {
      const { status, body } = await api.ask(path)
      expect(status).toBe(200)
      rows.push(...Object(body.rejects).map(({ file, row }: { file: number; row: number }) => [file, row]))
      if (body.next === null) break
      path = `/coisas/_bulk/${id}/rejects?limit=2&cursor=${body.next}`
    }
    expect(rows).toEqual([
      [0, 3],
      [0, 4],
      [0, 5],
      [1, 1],
      [1, 2],
    ])
  })

  test('are told with every fault, and with no digit lost', async () => {
    const id = await job(1, () => ['nome', 'required'])
    const { body } = await api.ask(`/coisas/_bulk/${id}/rejects`)
    expect(body).toEqual({
      id,
      figura: 'coisas',
      rejects: [
        {
          file: 0,
          row: 1,
          column: 'nome',
          rule: 'required',
          reason: 'found "x, y", expected "z"',
          faults: [{ column: 'nome', rule: 'required', reason: 'found "x, y", expected "z"' }],
          record: { id: '9223372036854775807', name: 'nome 1', preco: '-1.50', nada: null },
        },
      ],
      next: null,
      note: null,
    })
  })

  test('are said to be the first ones only where there were more', async () => {
    const id = await job(2, () => ['nome', 'required'])
    const note = async (found: number) => {
      await api.sql`update bulk.job set status = 'erro', rejected = null, rows_rejected = ${found}`
      return (await api.ask(`/coisas/_bulk/${id}/rejects`)).body.note
    }
    expect(await note(2)).toBeNull()
    expect(await note(3)).toBe('Of the 3 rows that were found, the first ones are kept.')
  })

  test('are none of a job that left out none, and of an old one it is said that they are gone', async () => {
    const none = await api.send('coisas')
    expect((await api.ask(`/coisas/_bulk/${none}/rejects`)).body).toMatchObject({ rejects: [], note: null })
    const id = await job(3, () => ['nome', 'required'])
    await api.sql`update bulk.reject set at = now() - interval '31 days' where "row" < 3`
    expect(await deleteOldRejects(api.sql, { days: 30, limit: 1 })).toBe(1)
    expect(await deleteOldRejects(api.sql, { days: 30, limit: 10 })).toBe(1)
    expect(await deleteOldRejects(api.sql, { days: 30, limit: 10 })).toBe(0)
    expect(Object((await api.ask(`/coisas/_bulk/${id}/rejects`)).body.rejects)).toHaveLength(1)
    await api.sql`delete from bulk.reject`
    const { body } = await api.ask(`/coisas/_bulk/${id}/rejects`)
    expect(body).toMatchObject({ rejects: [], note: expect.stringContaining('kept for 30 days') })
  })

  test('of no job are an error, and so are parameters that are none', async () => {
    const { status, body } = await api.ask('/coisas/_bulk/019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10/rejects')
    expect([status, body.code]).toEqual([404, 'job_unknown'])
    const id = await api.send('coisas')
    for (const query of ['limit=0', 'limit=1001', 'cursor=AAAA', 'format=xlsx', 'page=2']) {
      const answer = await api.ask(`/coisas/_bulk/${id}/rejects?${query}`)
      expect([query, answer.status, answer.body.code]).toEqual([query, 422, 'query_invalid'])
    }
  })
})

describe('all of them at once', () => {
  test('are CSV with the columns of the file, in the order of the figura', async () => {
    const id = await job(2, () => ['nome', 'required'])
    for (const [query, accept] of [
      ['?format=csv', '*/*'],
      ['', 'text/html, text/csv;q=0.9'],
    ] as const) {
      const { text, headers } = await api.ask(`/coisas/_bulk/${id}/rejects${query}`, { headers: { accept } })
      expect(headers.get('content-type')).toBe('text/csv')
      expect(text.split('\r\n')).toEqual([
        'id,name,preco,nada,_file,_row,_column,_rule,_reason',
        '9223372036854775807,nome 1,-1.50,,0,1,nome,required,"found ""x, y"", expected ""z"""',
        '9223372036854775807,nome 2,-2.50,,0,2,nome,required,"found ""x, y"", expected ""z"""',
        '',
      ])
    }
  })

  test('are NDJSON, however many they are', async () => {
    const id = await job(2500, () => ['nome', 'required'])
    const { text } = await api.ask(`/coisas/_bulk/${id}/rejects?format=ndjson`)
    const lines = text.trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line)['_row'])).toEqual(
      Array.from({ length: 2500 }, (_, at) => at + 1),
    )
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      name: 'nome 1',
      nada: null,
      _column: 'nome',
      _file: 0,
    })
  })

  test('are a parquet file that others can read', async () => {
    const id = await job(2500, () => ['nome', 'required'])
    const response = await api.app.handle(
      new Request(`http://localhost/coisas/_bulk/${id}/rejects?format=parquet`),
    )
    using folder = freshFolder()
    const path = join(folder.path, 'rejects.parquet')
    await Bun.write(path, await response.bytes())
    const duck = await (await DuckDBInstance.create()).connect()
    const reader = await duck.runAndReadAll(
      `select count(*)::int as rows, min(_row)::int as first, max(_row)::int as last,
         count(distinct name)::int as names, max(id) as id, count(nada)::int as nulls, any_value(_rule) as rule,
         any_value(_file) as file
       from '${path}'`,
    )
    expect(reader.getRowObjectsJS()).toEqual([
      {
        rows: 2500,
        first: 1,
        last: 2500,
        names: 2500,
        id: '9223372036854775807',
        nulls: 0,
        rule: 'required',
        file: 0,
      },
    ])
  })

  test('are an empty file where there is none', async () => {
    const id = await api.send('coisas')
    const { text } = await api.ask(`/coisas/_bulk/${id}/rejects?format=csv`)
    expect(text).toBe('_file,_row,_column,_rule,_reason\r\n')
    const parquet = await api.ask(`/coisas/_bulk/${id}/rejects?format=parquet`)
    expect(parquet.text).toMatch(/^PAR1.*PAR1$/s)
  })
})

/** A job that has left out rows 1 to `count`, each for the column and rule that are given. */
async function job(count: number, why: (row: number) => [string | null, string]): Promise<string> {
  const id = await api.send('coisas')
  const reason = 'found "x, y", expected "z"'
  const rows = Array.from({ length: count }, (_, at) => {
    const [column, rule] = why(at + 1)
    return { row: at + 1, column, rule, record: recordText(at + 1) }
  })
  await api.sql`
    insert into bulk.reject (job, stage, file, chunk, "row", column_name, rule, reason, faults, record)
    select ${id}, 1, 0, 0, "row", "column", rule, ${reason},
      jsonb_build_array(jsonb_build_object('column', "column", 'rule', rule, 'reason', ${reason}::text)),
      record::jsonb
    from jsonb_to_recordset(${api.sql.json(rows)}) as t("row" int, "column" text, rule text, record text)
  `
  await api.sql`update bulk.job set status = 'completo', rejected = ${count} where id = ${id}`
  return id
}

function recordText(row: number): string {
  return `{"id": 9223372036854775807, "name": "nome ${row}", "preco": -${row}.50, "nada": null}`
}
