/** A Markdown table. Cells may hold any text: what would end one early is written otherwise. */
export function markdownTable(head: string[], rows: string[][]): string {
  return [row(head), `|${'---|'.repeat(head.length)}`, ...rows.map((cells) => row(cells.map(oneCell)))].join(
    '\n',
  )
}

function row(cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** `\|` would not do: the reader that Swagger UI has splits a line at every `|`. */
function oneCell(text: string): string {
  return text.replaceAll('|', '&#124;').replaceAll(/\s*[\r\n]+\s*/g, ' ')
}
