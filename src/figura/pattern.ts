import { messageOf } from '../log.ts'
import { quoted } from './fault.ts'

/** A pattern in JavaScript's terms, where they say the same; `matches` is undefined where they may not. */
export type Pattern = { matches?: (text: string) => boolean }

/** Repetitions that RE2 counts out; a larger count is an error to it. */
const MAX_REPEAT = 1000

/** Escapes, classes, openings of groups and counts; what is between them is the same to everybody. */
const TOKENS = new RegExp(
  [
    /\\(?:k<|[\s\S])/,
    /\[(?:\^|(?!\^))(?:\\[\s\S]|\[:\^?\w+:\]|[^\\])(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]/,
    /\(\?(?:<?[=!]|P?<\w+>|[a-zA-Z-]+[:)]|[:>])/,
    /\{\d+(?:,\d*)?\}/,
    /\[/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

/** Escapes that are an error to RE2, and plain letters to JavaScript. */
const UNKNOWN_ESCAPE = /^\\(?:[^aAbBCdDEfnpPQrsStvwWxz\W\d_]|[^\0-\x7f])/

/**
 * What RE2, which DuckDB has, would not take in a regular expression. It takes most of what JavaScript does, except
 * what needs more than one pass over the text.
 */
export function readPattern(pattern: string): Pattern | { found: string; expected: string } {
  for (const [token] of pattern.matchAll(TOKENS)) {
    const refused = refusedOf(token)
    if (refused) return refused
  }
  const [head = '', flags = ''] = /^\(\?([ims]+)\)/.exec(pattern) ?? []
  const body = pattern.slice(head.length).replaceAll('(?P<', '(?<')
  const parsed = compiled(body, flags)
  if ('fault' in parsed) {
    return { found: `the pattern ${quoted(pattern)} (${parsed.fault})`, expected: 'a regular expression' }
  }
  return READ_OTHERWISE.test(body) ? {} : { matches: (text) => parsed.regexp.test(text) }
}

/** What both take, and each in its way: \A \z \Q \C \p, [[:alpha:]], []a], (?i) in the middle, \a and octal numbers. */
const READ_OTHERWISE = /\\[aACEzQpP0]|\[:|\[\^?\]|\(\?[a-zA-Z-]+[:)]/

function refusedOf(token: string): { found: string; expected: string } | undefined {
  if (/^\(\?<?[=!]/.test(token))
    return { found: `the lookaround ${quoted(token)} in the pattern`, expected: RE2 }
  if (/^\\(?:k<|[1-9])/.test(token))
    return { found: `the backreference ${quoted(token)} in the pattern`, expected: RE2 }
  if (/^\(\?<\w/.test(token))
    return {
      found: `the group ${quoted(token)} in the pattern`,
      expected: `(?P${token.slice(2)}, as RE2 writes it`,
    }
  if (token === '[') return { found: 'a "[" without its "]" in the pattern', expected: 'a class that ends' }
  if (UNKNOWN_ESCAPE.test(token))
    return {
      found: `the escape ${quoted(token)} in the pattern`,
      expected: 'one that RE2 knows, such as \\d or \\w',
    }
  const counts = token.startsWith('{') ? (token.match(/\d+/g) ?? []) : []
  if (counts.some((count) => Number(count) > MAX_REPEAT))
    return { found: `the count ${token} in the pattern`, expected: `at most ${MAX_REPEAT}` }
  return undefined
}

const RE2 = 'a regular expression without it, as RE2 reads them'

/**
 * By characters where it can be: without the flag u, an emoji is two. With it, \- is an error, and not to RE2.
 * A pattern that backtracks without end is given up after some 300 ms by this JavaScript.
 */
function compiled(body: string, flags: string): { regexp: RegExp } | { fault: string } {
  const named = [...new Set(flags)].join('')
  try {
    return { regexp: new RegExp(body, `${named}u`) }
  } catch {
    try {
      return { regexp: new RegExp(body, named) }
    } catch (error) {
      return { fault: messageOf(error).replace(/^Invalid regular expression: /, '') }
    }
  }
}
