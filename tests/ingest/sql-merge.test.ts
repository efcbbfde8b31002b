import { describe, expect, test } from 'bun:test'
import type { ClaimedJob } from '../../src/db/claims.ts'
import { loadOf, type Figura, type Load, type Mode } from '../../src/figura/types.ts'
import { rowsAreApart } from '../../src/ingest/merge.ts'
import { loadingOf } from '../../src/ingest/merge-rows.ts'
import { insertSql, mergeSql, outcomesSql } from '../../src/ingest/sql-merge.ts'
import { smallFigura } from '../support/figuras.ts'

const JOB = '0197c0de-0000-7000-8000-000000000000'
const jobOf = (load: Partial<Load> = {}, given: Partial<Figura> = {}, mode: Mode | null = null) => {
  const definition = { ...smallFigura(), load: { ...loadOf({}), ...load }, ...given }
  return { id: JOB, mode, dryRun: null, definition } as ClaimedJob
}
const NAMES = ['id', 'nome', '_bulk_row', '_bulk_gone']
const flat = (sql: string) => sql.replace(/\s+/g, ' ').trim()
const load = (job: ClaimedJob, names = NAMES) => loadingOf(job, names, '2026-01-02 03:04:05.678901+00')

describe('the statements of a load', () => {
  test('of rows without more say what differs, and no more', () => {
    expect(flat(mergeSql(load(jobOf(), ['id', 'nome']), 's1'))).toBe(
      'merge into "public"."coisas" as t using s1 as s on t."id" = s."id" ' +
        'when matched and (t."nome") is distinct from (s."nome") then update set "nome" = s."nome" ' +
        'when not matched then insert ("id", "nome") values (s."id", s."nome")',
    )
    expect(flat(insertSql(load(jobOf(), ['id', 'nome']), 's1'))).toBe(
      'insert into "public"."coisas" ("id", "nome") select s."id", s."nome" from s1 as s',
    )
  })

  test('with a version, a soft marker and an audit ask in that order, and the trial asks the same', () => {
    const job = jobOf({
      version: 'nome',
      deleteMarker: { from: 'x', how: 'soft', at: 'fora' },
      audit: { loadedAt: 'em' },
    })
    const branches = flat(mergeSql(load(job), 's1'))
      .split(/ when /)
      .slice(1)
    const at = `'2026-01-02 03:04:05.678901+00'::timestamptz`
    expect(branches).toEqual([
      'matched and (s."nome" < t."nome" or (s."nome" is null and t."nome" is not null)) then do nothing',
      `matched and s."_bulk_gone" and t."fora" is null then ` +
        `update set "fora" = ${at}, "nome" = s."nome", "em" = ${at}`,
      'matched and s."_bulk_gone" then do nothing',
      `matched and ((t."nome") is distinct from (s."nome") or t."fora" is not null) then ` +
        `update set "nome" = s."nome", "fora" = null, "em" = ${at}`,
      `not matched and s."_bulk_gone" is not true then insert ("id", "nome", "em") values (s."id", s."nome", ${at})`,
    ])
    const asked = branches.map((branch) =>
      branch.replace(/^(not )?matched( and )?/, '').replace(/ ?then .*$/, ''),
    )
    const outcomes = flat(outcomesSql(load(job), 's1'))
    for (const condition of asked) expect(outcomes).toContain(`${condition} then '`)
  })
})

const PLAIN = ['id', 'nome']

describe('several transactions merge a stage only where each row is for itself:', () => {
  const apart = (job: ClaimedJob, names: string[]) => rowsAreApart(job, names)
  test.each<[string, ClaimedJob, string[]]>([
    ['merge', jobOf(), PLAIN],
    ['insert', jobOf({ mode: 'insert' }), PLAIN],
    ['append, with positions too', jobOf({ mode: 'append' }), ['id', '_bulk_row']],
    ['an audit', jobOf({ audit: { loadedAt: 'em' } }), PLAIN],
  ])('%s', (_, job, names) => {
    expect(apart(job, names)).toBe(true)
  })

  test.each<[string, ClaimedJob, string[]]>([
    ['not with a version', jobOf({ version: 'nome' }), PLAIN],
    ['not with a history', jobOf({ history: true }), PLAIN],
    ['not with keys that may be repeated', jobOf(), ['id', '_bulk_row']],
    ['not with rows that are gone', jobOf(), ['id', '_bulk_gone']],
    ['not for a replacement', jobOf({ mode: 'replace' }), PLAIN],
    ['not for deletions', jobOf({}, {}, 'delete'), PLAIN],
    ['not for a trial', { ...jobOf(), dryRun: 'rows' as const }, PLAIN],
  ])('%s', (_, job, names) => {
    expect(apart(job, names)).toBe(false)
  })
})
