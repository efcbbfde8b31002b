import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { openDuckdb, type Duckdb } from '../../src/db/duckdb.ts'
import { typeRules } from '../../src/ingest/rules-types.ts'
import { duckLiteral } from '../../src/quote.ts'
import { freshDatabase, freshFolder, type FreshDatabase } from '../support/servers.ts'

// What is left out of a jsonb column is what PostgreSQL itself does not take: it is asked.

const folder = freshFolder()
let database: FreshDatabase
let duckdb: Duckdb

beforeAll(async () => {
  database = await freshDatabase()
  duckdb = await openDuckdb({ workDir: folder.path, memoryBytes: 512 * 1024 * 1024 })
  await database.sql.unsafe(`create function is_jsonb(one text) returns boolean language plpgsql as $$
    begin perform one::jsonb; return true; exception when others then return false; end $$`)
})

afterAll(async () => {
  await duckdb.close()
  await database[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

async function verdicts(texts: string[]): Promise<{ text: string; ours: boolean; theirs: boolean }[]> {
  const rules = typeRules({ name: 'j', type: { kind: 'jsonb' } }, 'j').map(
    ({ breaks }) => `coalesce(${breaks}, false)`,
  )
  const values = texts.map((text, at) => `(${at}, ${duckLiteral(text)})`).join(', ')
  const ours = await duckdb.query<{ taken: boolean }>(
    `select not (${rules.join(' or ')}) as taken from (values ${values}) t(no, j) order by no`,
  )
  const theirs = await database.sql<{ taken: boolean }[]>`
    select is_jsonb(one) as taken from unnest(${texts}::text[]) with ordinality t(one, at) order by at`
  return texts.map((text, at) => ({ text, ours: ours[at]!.taken, theirs: theirs[at]!.taken }))
}

const differing = async (texts: string[]) =>
  (await verdicts(texts))
    .filter(({ ours, theirs }) => ours !== theirs)
    .map(({ text, theirs }) => `${theirs ? 'taken' : 'refused'} by PostgreSQL: ${text.slice(0, 200)}`)

const STRINGS = [
  ...['""', '"a"', '"NaN"', '",]"', '"a, inf"', '": -Infinity"', '"[1,]"', '"\\\\"', '"\\""', '"\\\\\\""'],
  ...['"\\u0000"', '"\\\\u0000"', '"\\\\\\u0000"', '"a\\\\\\\\u0000"', '"\\u00000"', '"\\u0001"', '"u0000"'],
  ...[
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud83d\\ude00"',
    '"\\ud800\\u0041"',
    '"\\\\ud800"',
    '"\\UD800"',
    '"\\uD83D\\uDE00"',
  ],
  ...[
    '"1e400000"',
    '"\u2028"',
    '"😀"',
    '"\u007f"',
    '"\t"',
    '"\n"',
    '"\\x"',
    '"\\/"',
    '"\\u12"',
    '"abc',
    "'a'",
    '"\\"',
  ],
]
const NUMBERS = [
  ...[
    '0',
    '-0',
    '1',
    '1.5',
    '-1.50',
    '01',
    '1.',
    '.5',
    '-',
    '+1',
    '1e5',
    '1E+5',
    '1e-5',
    '1e',
    '0x10',
    '1_000',
  ],
  ...[
    '1e400000',
    '1e-400000',
    '0e400000',
    '0e-400000',
    '0.0e5',
    '1e131071',
    '1e131072',
    '9.9e131071',
    '10e131071',
  ],
  ...[
    '0.01e131073',
    '0.01e131074',
    '1e-16383',
    '1e-16384',
    '0e-16383',
    '0e-16384',
    '1.5e-16382',
    '1.5e-16383',
  ],
  ...[
    '1e0000000000000000000000005',
    '1e1073741820',
    '0e1073741820',
    '1e99999999999999999999',
    '0e99999999999999',
  ],
  ...['1e-99999999999999999999', '1e9999', '1e1000', '0.5e+131072', '-1e131072', '100e131069', '100e131070'],
]
const LONG = [131_072, 131_073].flatMap((digits) => ['9'.repeat(digits), `${'1'.repeat(digits)}.5`])
const FRACTIONS = [16_383, 16_384].flatMap((digits) => [`0.${'1'.repeat(digits)}`, `0.${'0'.repeat(digits)}`])
const OTHERS = [
  ...[
    'true',
    'false',
    'null',
    'True',
    'nul',
    'NaN',
    'nan',
    '-NaN',
    '+NaN',
    'inf',
    '-inf',
    'Infinity',
    '-INFINITY',
  ],
  ...[
    'infinit',
    'undefined',
    '[1,]',
    '{"a":1,}',
    '[,]',
    '[1,,2]',
    '{"a":1 "b":2}',
    '{a:1}',
    '{"a"}',
    '',
    ' ',
    '[',
    '{',
  ],
  ...[
    '[1 , ]',
    '{"a":1\n,\t}',
    '\t1\r\n',
    '\f1',
    '\v1',
    '\u00a01',
    '\ufeff1',
    '[1]x',
    '[1] [2]',
    '1//',
    '/**/1',
    '[1]]',
  ],
]
const ODD = [...STRINGS, ...NUMBERS, ...OTHERS]

test('each odd text is judged as PostgreSQL judges it, alone and within others', async () => {
  const around = (text: string) => [
    text,
    ` ${text} `,
    `[${text}]`,
    `["nan,]", ${text}, 1]`,
    `{"a": ${text}, "b": [ ${text} ]}`,
    `[[${text}],]`,
  ]
  expect(await differing([...ODD, ...LONG, ...FRACTIONS].flatMap(around))).toEqual([])
})

const blank = fc.constantFrom('', '', '', ' ', '\n', '\t ')
const comma = fc.constantFrom(',', ',', ',', ',', ' , ', '', ',,', ',]', ';')
const scalar = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ODD) },
  { weight: 2, arbitrary: fc.json() },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)) },
)
const { odd } = fc.letrec<{ odd: string; list: string; object: string }>((tie) => {
  const joined = (items: fc.Arbitrary<string>, [open, close]: [string, string]) =>
    fc
      .tuple(fc.array(fc.tuple(items, comma, blank), { maxLength: 4 }), fc.boolean())
      .map(([all, trailing]) => {
        const texts = all.map(([item, between, after], at) =>
          at === all.length - 1 && !trailing ? item : `${item}${between}${after}`,
        )
        return `${open}${texts.join('')}${close}`
      })
  const pair = fc.tuple(fc.constantFrom(...STRINGS.slice(0, 12)), tie('odd')).map((two) => two.join(': '))
  return {
    odd: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('list'), tie('object')),
    list: joined(tie('odd'), ['[', ']']),
    object: joined(pair, ['{', '}']),
  }
})
/** A text with one character more, less, or another. */
const slipped = fc
  .tuple(odd, fc.nat(), fc.constantFrom('', ...',]}[{":\\ueE-+.0 nN\n'.split('')), fc.nat(1))
  .map(([text, place, sign, gone]) => {
    const at = place % (text.length + 1)
    return (text.slice(0, at) + sign + text.slice(at + gone)).toWellFormed()
  })

test('what is generated is judged as PostgreSQL judges it', async () => {
  const texts = fc.sample(fc.oneof(odd, odd, slipped), 10_000).filter((text) => !text.includes('\0'))
  const found = await verdicts(texts)
  const taken = found.filter(({ theirs }) => theirs).length
  expect(Math.min(taken, texts.length - taken)).toBeGreaterThan(texts.length / 10)
  expect(await differing(texts)).toEqual([])
})
