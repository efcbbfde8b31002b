import { quoted } from './fault.ts'
import { checkText } from './name.ts'
import type { Say } from './part.ts'

/** Texts and names in quotes, which may hold anything. A text after an E has escapes. */
const IN_QUOTES = /(?<![\w$])e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"/gis

/** What an expression has no use for, and what would let it end early in the statement that it becomes part of. */
const REFUSED: [RegExp, found: string, expected: string][] = [
  [/'/, 'a quote that does not end', `each ' closed, and two of them for one within a text`],
  [/"/, 'a quote that does not end', 'each " closed, and two of them for one within a name'],
  [/;/, 'a ";"', 'one expression, without it'],
  [/--|\/\*/, 'a comment', 'an expression without comments'],
  [/\$/, 'a "$"', `an expression without it; texts stand in '…'`],
]

const PAIRS = new Map([
  [')', '('],
  [']', '['],
  ['}', '{'],
])

/**
 * An early look at an expression of DuckDB's SQL, so that a slip is told with its line. Whether it is one, and what
 * columns it reads, is DuckDB's to say. False when something is wrong with it.
 */
export function checkExpression(text: string, what: string, path: string[], say: Say): boolean {
  if (!checkText(text, what, path, say)) return false
  if (text.trim() === '') {
    if (text !== '') say(path, `${what} of blanks`, 'an expression')
    return false
  }
  const bare = text.replaceAll(IN_QUOTES, ' ')
  const refused = REFUSED.find(([sign]) => sign.test(bare))
  if (refused) {
    say(path, `${refused[1]} in ${what}`, refused[2])
    return false
  }
  const odd = oddBracket(bare)
  if (odd) say(path, `a ${quoted(odd)} without its other half in ${what}`, 'brackets in pairs')
  return odd === undefined
}

function oddBracket(bare: string): string | undefined {
  const open: string[] = []
  for (const [bracket] of bare.matchAll(/[()[\]{}]/g)) {
    const other = PAIRS.get(bracket)
    if (other === undefined) open.push(bracket)
    else if (open.pop() !== other) return bracket
  }
  return open.at(-1)
}
