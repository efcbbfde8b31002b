import type { Figures, Row, Spread } from './figures.ts'

const HEAD = ['#', 'work', 'ours', 'reference', 'ratio', 'target', '']

/** The table as it is printed: a line for each row and each of its parts, below it what limited it. */
export function drawTable(rows: Row[]): string {
  const lines = rows.flatMap((row) => [
    cells(String(row.id), row),
    ...row.parts.map((part, at) => cells(`${row.id}${String.fromCharCode(97 + at)}`, part)),
  ])
  const widths = HEAD.map((title, at) =>
    Math.max(...[title, ...lines.map((line) => line[at] ?? '')].map(width)),
  )
  const draw = (line: string[]) =>
    line
      .map((text, at) => text + ' '.repeat((widths[at] ?? 0) - width(text)))
      .join('  ')
      .trimEnd()
  const out = [draw(HEAD), widths.map((count) => '-'.repeat(count)).join('  ')]
  let next = 0
  for (const row of rows) {
    for (let part = 0; part <= row.parts.length; part++) out.push(draw(lines[next++] ?? []))
    out.push(...notes(row).map((note) => `      ${note}`))
  }
  return out.join('\n')
}

/** A figure with three digits that count. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits)
}

function cells(id: string, { name, unit, ours, reference, ratio, target, atLeast, met }: Figures): string[] {
  return [
    id,
    name,
    spreadText(ours, unit),
    spreadText(reference, unit),
    ratio === null ? '' : `${ratio.toFixed(2)} ×`,
    target === null ? '' : `${atLeast ? '≥' : '≤'} ${target.toFixed(2)} ×`,
    met === null ? '-' : met ? 'met' : 'missed',
  ]
}

function spreadText(spread: Spread | null, unit: string): string {
  if (!spread) return ''
  const { min, median, max } = spread
  return min === max ? `${short(median)} ${unit}` : `${short(median)} ${unit} (${short(min)}–${short(max)})`
}

function notes(row: Row): string[] {
  if (row.skipped !== null) return [`skipped: ${row.skipped}`]
  const checks = row.checks.map(
    ({ name, value, unit, target, met }) =>
      `${name}: ${short(value)} ${unit}, target ≤ ${short(target)} ${unit}: ${met ? 'met' : 'missed'}`,
  )
  const limits = [
    ...(row.limit ? [`limit: ${row.limit}`] : []),
    ...row.parts.filter((part) => part.limit).map((part) => `limit of ${part.name}: ${part.limit}`),
  ]
  const limitOfAll = [...limits, ...row.notes]
  const difference = row.difference === null ? [] : [`THE TABLE DIFFERS FROM THE FILE: ${row.difference}`]
  return [...checks, ...limitOfAll, ...difference]
}

const width = (text: string) => Bun.stringWidth(text)
