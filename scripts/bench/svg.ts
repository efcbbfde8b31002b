import type { Row } from './figures.ts'
import { short } from './table.ts'

const WIDTH = 860
const LINE = 30
const LEFT = 400
const TOP = 56
/** Where a bar that just meets its target ends; nothing is drawn beyond twice that. */
const TARGET_AT = 150
const STRAIN_MAX = 2

/**
 * Draws the rows as bars. Each is measured in its own target, so that one line stands for all of them: a bar that ends
 * before it has met its target. It carries its colours for light and dark pages itself.
 */
export function drawSvg(rows: Row[], { title, footer }: { title: string; footer: string[] }): string {
  const shown = rows.flatMap((row) => {
    const strain = strainOf(row)
    return strain === undefined ? [] : [{ row, strain }]
  })
  const bottom = TOP + shown.length * LINE
  const height = bottom + 24 + footer.length * 18
  const lines = shown.map(({ row, strain }, at) => bar(row, strain, TOP + at * LINE))
  const notes = footer.map((text, at) => textAt(12, bottom + 30 + at * 18, text, 'note'))
  const x = LEFT + TARGET_AT
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"
  role="img" aria-label="${escape(title)}">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px } .note { font-size: 11px; fill: #656d76 }
  .met { fill: #2f9e55 } .missed { fill: #d1603d } line { stroke: #656d76; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } line { stroke: #9198a1 } }
</style>
${textAt(12, 24, title, 'title')}
${textAt(x - 20, TOP - 10, 'target', 'note')}
<line x1="${x}" y1="${TOP - 4}" x2="${x}" y2="${bottom}"/>
${[...lines, ...notes].join('\n')}
</svg>
`
}

function bar(row: Row, strain: number, y: number): string {
  const width = Math.max(2, Math.min(strain, STRAIN_MAX) * TARGET_AT)
  const name = row.met ? 'met' : 'missed'
  return [
    textAt(12, y + 17, `${row.id}  ${row.name}`, ''),
    `<rect x="${LEFT}" y="${y + 5}" width="${width.toFixed(1)}" height="16" rx="2" class="${name}"/>`,
    textAt(LEFT + Math.max(width, TARGET_AT) + 8, y + 17, said(row), 'note'),
  ].join('\n')
}

/** The figure that is furthest from its target, in that target: 1 when it is just met. */
function strainOf({ ratio, target, atLeast, checks }: Row): number | undefined {
  const own = ratio === null || target === null ? [] : [atLeast ? target / ratio : ratio / target]
  const all = [...own, ...checks.map((one) => one.value / one.target)].filter(Number.isFinite)
  return all.length === 0 ? undefined : Math.max(...all)
}

function said({ ratio, target, atLeast, checks }: Row): string {
  const own =
    ratio === null || target === null
      ? []
      : [`${ratio.toFixed(2)} × (${atLeast ? '≥' : '≤'} ${short(target)})`]
  return [
    ...own,
    ...checks.map(({ value, unit, target: limit }) => `${short(value)} ${unit} (≤ ${short(limit)})`),
  ].join(', ')
}

function textAt(x: number, y: number, text: string, name: string): string {
  return `<text x="${x}" y="${y}"${name ? ` class="${name}"` : ''}>${escape(text)}</text>`
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
