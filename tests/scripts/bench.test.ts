import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  check,
  figures,
  quantile,
  type Row,
  row,
  skippedRow,
  spread,
  worst,
} from '../../scripts/bench/figures.ts'
import { limitOf } from '../../scripts/bench/limit.ts'
import { readOptions } from '../../scripts/bench/options.ts'
import { drawSvg } from '../../scripts/bench/svg.ts'
import { drawTable } from '../../scripts/bench/table.ts'

const faster = figures({ name: 'a', unit: 's', target: 0.8 }, { ours: [3, 1, 2], reference: [4, 5, 3, 6] })

describe('the figures', () => {
  test('the median of an odd number is the middle one, of an even number the mean of the two', () => {
    expect(spread([5, 1, 3])).toEqual({ min: 1, median: 3, max: 5 })
    expect(spread([4, 1, 3, 2]).median).toBe(2.5)
    expect(() => spread([])).toThrow('no figures')
  })

  test('a quantile lies between two values', () => {
    expect(quantile([10, 20, 30, 40, 50], 0.99)).toBeCloseTo(49.6)
    expect(quantile([7], 0.5)).toBe(7)
  })

  test('the ratio is that of the medians, and is held against the target', () => {
    expect(faster.ratio).toBeCloseTo(2 / 4.5)
    expect(faster.met).toBe(true)
    const slower = figures({ name: 'a', unit: 's', target: 0.4 }, { ours: [2], reference: [4] })
    expect(slower.met).toBe(false)
  })

  test('where more is better, the ratio has to reach the target', () => {
    const rate = { name: 'a', unit: '/s', target: 0.7, atLeast: true }
    expect(figures(rate, { ours: [8], reference: [10] }).met).toBe(true)
    expect(figures(rate, { ours: [6], reference: [10] }).met).toBe(false)
  })

  test('a row is met when its ratio, its checks and its parts are, and the table is as the file', () => {
    const missed = { ...faster, met: false }
    expect(row(1, faster).met).toBe(true)
    expect(row(1, faster, { checks: [check('WAL', 2, 1, '%')] }).met).toBe(false)
    expect(row(1, faster, { parts: [{ ...missed, limit: '' }] }).met).toBe(false)
    expect(row(1, faster, { difference: 'id 7' }).met).toBe(false)
    expect(skippedRow(6, 'memory', 'no Linux').met).toBeNull()
  })

  test('the worst part is the one that is furthest from its target', () => {
    const near = figures({ name: 'near', unit: 's', target: 1 }, { ours: [9], reference: [10] })
    const far = figures(
      { name: 'far', unit: '/s', target: 0.7, atLeast: true },
      { ours: [4], reference: [10] },
    )
    expect(worst([near, far, faster]).name).toBe('far')
  })

  test('what held the work up is told from the CPU times', () => {
    const usage = {
      wallS: 10,
      cores: 2,
      cpu: { PostgreSQL: 12, worker: 7 },
      idleS: 1,
      diskWaitS: 0,
      backendS: 6,
    }
    expect(limitOf({ ...usage, walBytes: 5e8 })).toBe(
      'CPU, all 2 cores busy, most with PostgreSQL. CPU: PostgreSQL 60 %, worker 35 %, idle 5 %; WAL 500 MB',
    )
    const alone = { ...usage, cpu: { PostgreSQL: 10 }, idleS: 10, backendS: 9.5, walBytes: 0 }
    expect(limitOf(alone)).toStartWith('one backend of PostgreSQL, on one core')
    expect(limitOf(undefined)).toBe('not measured on this system')
  })
})

describe('the options', () => {
  test('all rows are measured five times on 2,000,000 rows, unless told', () => {
    expect(readOptions([])).toMatchObject({ only: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], runs: 5, rows: 2_000_000 })
    expect(readOptions(['--quick', '--only', '9,2,2'])).toMatchObject({
      only: [2, 9],
      runs: 2,
      rows: 300_000,
    })
    expect(readOptions(['--help'])).toBe('help')
  })

  test('a wrong option is named, with what was found and expected', () => {
    expect(() => readOptions(['--only', '11'])).toThrow(
      '--only: found "11", expected a whole number from 1 to 10',
    )
    expect(() => readOptions(['--runs', ''])).toThrow('--runs: found ""')
    expect(() => readOptions(['--fast'])).toThrow('--fast')
  })
})

describe('the outputs', () => {
  const rows: Row[] = [
    row(1, { ...faster, name: 'a <b> & "c"' }, { parts: [{ ...faster, name: 'part', limit: 'CPU' }] }),
    row(8, { ...faster, ratio: null, target: null }, { checks: [check('p50', 30, 60, 'ms')] }),
    skippedRow(6, 'memory', 'no Linux'),
  ]

  test('the table has a line for each row and each part, and what limited it below', () => {
    const lines = drawTable(rows).split('\n')
    expect(lines[2]).toMatch(
      /^1 +a <b> & "c" +2\.00 s \(1\.00–3\.00\) +4\.50 s \(3\.00–6\.00\) +0\.44 × +≤ 0\.80 × +met$/,
    )
    expect(lines[3]).toStartWith('1a  part')
    expect(lines[4]).toBe('      limit of part: CPU')
    expect(lines).toContain('      p50: 30.0 ms, target ≤ 60.0 ms: met')
    expect(lines.at(-1)).toBe('      skipped: no Linux')
  })

  test('the chart is well-formed, and a bar that meets its target ends before the line', async () => {
    const svg = drawSvg(rows, { title: 'a < b', footer: ['1 & 2'] })
    const tags: string[] = []
    const open: string[] = []
    for (const [, closing, name, , selfClosing] of svg.matchAll(
      /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    )) {
      if (closing) expect(open.pop()).toBe(name)
      else if (!selfClosing) open.push(name ?? '')
      tags.push(name ?? '')
    }
    expect(open).toEqual([])
    // nothing but those tags has an angle bracket, and no ampersand stands alone
    expect(svg.match(/</g)?.length).toBe(tags.length)
    expect(svg).not.toMatch(/&(?!(amp|lt|gt|quot);)/)
    expect(tags.filter((name) => name === 'rect')).toHaveLength(2)
    const line = Number(/<line x1="(\d+)"/.exec(svg)?.[1])
    const ends = [...svg.matchAll(/<rect x="(\d+)" y="\d+" width="([\d.]+)"/g)].map(
      ([, x, w]) => Number(x) + Number(w),
    )
    for (const end of ends) expect(end).toBeLessThan(line)
  })
})

describe('a run of 2,000 rows', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bench-run-'))
  afterAll(() => rmSync(dir, { recursive: true }))
  let code: number
  let out: string
  beforeAll(async () => {
    chmodSync(dir, 0o711) // PostgreSQL may run as another user, and has to pass through
    const files = ['--json', join(dir, 'result.json'), '--svg', join(dir, 'result.svg')]
    const child = Bun.spawn(
      [process.execPath, 'scripts/bench.ts', '--rows', '2000', '--runs', '1', '--only', '1,2,3', ...files],
      {
        cwd: join(import.meta.dir, '../..'),
        env: { ...process.env, TMPDIR: dir },
        stdout: 'pipe',
        stderr: 'pipe',
      },
    )
    const [said, told] = await Promise.all([child.stdout.text(), child.stderr.text()])
    code = await child.exited
    out = said
    if (code !== 0) console.error(told)
  })

  test('prints the table and ends with 0, the targets met or not', () => {
    expect(code).toBe(0)
    expect(out).toMatch(/^versions +Bun .*PostgreSQL .*NATS .*DuckDB /m)
    expect(out).toMatch(/^1 +stage: .* ×/m)
    expect(out).toMatch(/^2 +whole job: 2,000 rows/m)
  })

  test('writes the figures as JSON and draws them', () => {
    const rows = JSON.parse(readFileSync(join(dir, 'result.json'), 'utf8')) as Row[]
    expect(rows.map(({ id }) => id)).toEqual([1, 2, 3])
    const numbers = { min: expect.any(Number), median: expect.any(Number), max: expect.any(Number) }
    for (const one of rows) {
      const figure = {
        name: expect.any(String),
        ours: numbers,
        reference: numbers,
        ratio: expect.any(Number),
      }
      expect(one).toMatchObject({ ...figure, target: expect.any(Number), met: expect.any(Boolean) })
      expect(one.difference).toBeNull()
    }
    expect(readFileSync(join(dir, 'result.svg'), 'utf8')).toStartWith('<svg ')
  })

  test('leaves nothing behind', () => {
    expect(existsSync(dir)).toBe(true)
    expect(readdirSync(dir).toSorted()).toEqual(['result.json', 'result.svg'])
  })
})
