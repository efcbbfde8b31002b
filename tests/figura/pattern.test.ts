import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Duckdb, openDuckdb } from '../../src/db/duckdb.ts'
import { readPattern } from '../../src/figura/pattern.ts'
import { duckLiteral } from '../../src/quote.ts'
import { freshFolder } from '../support/servers.ts'

const folder = freshFolder()
let duckdb: Duckdb

beforeAll(async () => {
  duckdb = await openDuckdb({ workDir: folder.path, memoryBytes: 64 * 1024 * 1024 })
})

afterAll(async () => {
  await duckdb.close()
  folder[Symbol.dispose]()
})

describe('DuckDB is of the same mind about the pattern', () => {
  const right = ['^[0-9]{14}$', '\\d+\\-\\_', '(?i)^x$', '(?P<a>x)\\A[[:alpha:]]\\z', '[\\]?=(?!]', '[]a]']
  right.push(
    'a{1000}',
    '\\ba\\B',
    '\\pN\\p{L}',
    '\\Qa.b\\E',
    '\\x41',
    '(?s-m:a)',
    'a{,5}',
    'a{',
    ']',
    '[^]a]',
    '[é]',
  )
  test.each(right)('%s, which is one', async (pattern) => {
    expect(readPattern(pattern)).not.toHaveProperty('found')
    expect(await complaintOf(pattern)).toBeUndefined()
  })

  const wrong = [
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '(a)\\1',
    '(?<a>x)\\k<a>',
    '(?<a>x)',
    'a**',
    'a++',
    '(?>a)',
  ]
  wrong.push(
    '\\y',
    '\\cA',
    '\\u0041',
    '\\é',
    '[',
    '[]',
    '[^]',
    '[a',
    '(a',
    'a)',
    '*a',
    'a|*',
    '[z-a]',
    'a{1001}',
  )
  test.each(wrong)('%s, which is none', async (pattern) => {
    expect(readPattern(pattern)).toHaveProperty('found')
    expect(await complaintOf(pattern)).toBeString()
  })
})

test.each([
  ['^.$', '😀'],
  ['^\\d{2}\\-x$', '12-x'],
  ['(?i)^sp$', 'SP'],
  ['(?P<a>x)y', '-xy-'],
])('%s matches %s, as for DuckDB', async (pattern, text) => {
  const read = readPattern(pattern)
  expect('matches' in read && read.matches?.(text)).toBe(true)
  const [row] = await duckdb.query<{ matches: boolean }>(
    `select regexp_matches(${duckLiteral(text)}, ${duckLiteral(pattern)}) as matches`,
  )
  expect(row?.matches).toBe(true)
})

test.each(['^[[:alpha:]]$', '\\Ax\\z', '\\pL', 'a(?i)b'])(
  '%s means another thing in JavaScript, and is not tried there',
  (pattern) => {
    const read = readPattern(pattern)
    expect('found' in read || read.matches === undefined).toBe(true)
  },
)

async function complaintOf(pattern: string): Promise<string | undefined> {
  try {
    await duckdb.query(`select regexp_matches('a', ${duckLiteral(pattern)})`)
    return undefined
  } catch (error) {
    return String(error)
  }
}
