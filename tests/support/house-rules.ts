import { dirname, join } from 'node:path/posix'
import type { Place, SourceFile } from './source-file.ts'

/** One rule of the house. `bad` is a file that breaks it and `good` one that keeps it: the proof that it can fail. */
export type Rule = {
  name: string
  fix: string
  applies(path: string): boolean
  breaches(file: SourceFile): Place[]
  bad: [path: string, text: string]
  good: [path: string, text: string]
}

const inSrc = (path: string) => path.startsWith('src/') && path.endsWith('.ts')
const isCode = (path: string) =>
  /^(src|scripts|tests|\.ci)\//.test(path) && !/\.(json|ya?ml|csv|txt)$/.test(path)
const isScript = (path: string) => isCode(path) && path.endsWith('.ts')
const mainFiles = ['src/main.ts', 'src/node.ts', 'src/look.ts', 'src/migrate.ts']

/** Breaches of a pattern, line by line. */
const lines = (pattern: RegExp) => (file: SourceFile) =>
  file.lines.flatMap((text, index) => (pattern.test(text) ? [{ line: index + 1, text: text.trim() }] : []))

/** A rule that keeps a package or a global of `src` inside the files that it belongs to. */
function kept(
  what: string,
  where: string[],
  breach: (file: SourceFile) => Place[],
  bad: string,
  fix = 'Take a function from there instead',
): Rule {
  const home = (path: string) =>
    where.some((one) => (one.endsWith('.ts') ? path === one : path.startsWith(one)))
  const goodPath = where[0]?.endsWith('.ts') ? where[0] : `${where[0]}some.ts`
  return {
    name: `${what} stands only in ${where.join(' and ')}`,
    fix: `${fix}.`,
    applies: (path) => inSrc(path) && !home(path),
    breaches: breach,
    bad: ['src/figura/bad.ts', bad],
    good: [goodPath, bad],
  }
}

const imported = (prefix: string) => (file: SourceFile) =>
  file.syntax.imports.filter(({ text }) => text === prefix || text.startsWith(prefix.replace(/\/?$/, '/')))
const used = (pattern: RegExp) => (file: SourceFile) =>
  file.syntax.uses.filter(({ text }) => pattern.test(text))

/** A statement: the verb, and what follows it in SQL and hardly in a sentence. */
const sql = new RegExp(
  [
    'select\\b[^]*\\bfrom\\b|select\\s+(pg_|\\d|set_config|current_)|with\\s+\\w+\\s+as\\b',
    'insert\\s+into|update\\s+\\S+\\s+(as\\s+\\w+\\s+)?set\\b|delete\\s+from|merge\\s+into',
    'copy\\s+\\S+\\s*(\\(|from|to)|truncate\\s|set\\s+(local|session)\\s|lock\\s+table\\b',
    '(create|drop)\\s+(unlogged\\s+|temp(orary)?\\s+)?(table|schema)\\b',
  ]
    .map((statement) => `^\\s*(${statement})`)
    .join('|'),
)

/** What may import what: a file only from its own folder, or from one that stands lower. */
const heights: Record<string, number> = {
  api: 3,
  queue: 3,
  worker: 3,
  ingest: 2,
  source: 1,
  db: 1,
  figura: 1,
}
const folderOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1] ?? ''
/** Words that all share, as those at the top of src are, though it stands with the rest of its subject. */
const vocabulary = 'src/figura/types.ts'

function upwardImports(file: SourceFile): Place[] {
  if (mainFiles.includes(file.path)) return []
  const from = folderOf(file.path)
  return file.syntax.imports.filter(({ text }) => {
    if (!text.startsWith('.')) return false
    const target = join(dirname(file.path), text)
    if (mainFiles.includes(target) || !target.startsWith('src/')) return true
    const to = folderOf(target)
    if (target === vocabulary || to === from || to === '') return false
    return (heights[to] ?? 0) >= (heights[from] ?? 0)
  })
}

export const rules: Rule[] = [
  {
    name: 'a file has 300 lines at the most',
    fix: 'Split it by what its parts are about.',
    applies: isCode,
    breaches: ({ lines: all }) => (all.length > 301 ? [{ line: 301, text: `${all.length - 1} lines` }] : []),
    bad: ['src/long.ts', 'const a = 1\n'.repeat(301)],
    good: ['src/long.ts', 'const a = 1\n'.repeat(300)],
  },
  {
    name: 'a function has 70 lines at the most',
    fix: 'Give its steps names and make them functions.',
    applies: (path) => isScript(path) && !path.startsWith('tests/'),
    breaches: ({ syntax }) => syntax.functions.filter(({ text }) => Number(text) > 70),
    bad: ['src/a.ts', `function a() {\n${'  b()\n'.repeat(69)}}\n`],
    good: ['src/a.ts', `function a() {\n${'  b()\n'.repeat(68)}}\n`],
  },
  {
    name: 'a line has 120 columns at the most',
    fix: 'Break it.',
    applies: isCode,
    breaches: lines(/^.{121,}$/),
    bad: ['scripts/wide', `${'x'.repeat(121)}\n`],
    good: ['scripts/wide', `${'x'.repeat(120)}\n`],
  },
  {
    name: 'a file ends with one newline',
    fix: 'Add it, or remove the empty lines.',
    applies: (path) => !path.startsWith('patches/'),
    breaches: ({ text, lines: all }) =>
      text === '' || /[^\n]\n$/.test(text) ? [] : [{ line: all.length, text: 'the end of the file' }],
    bad: ['README.md', 'text'],
    good: ['README.md', 'text\n'],
  },
  {
    name: 'no type is any',
    fix: 'Say what it is, or unknown and look.',
    applies: isScript,
    breaches: ({ syntax }) => syntax.anys,
    bad: ['src/a.ts', 'const a = (b: Record<string, any>) => b\n'],
    good: ['src/a.ts', 'const any = "any: any" // as any\n'],
  },
  {
    name: 'the compiler and the linter are not silenced',
    fix: 'Mend what they say; where the linter is wrong, say why behind disable-next-line <rule> --.',
    applies: isScript,
    breaches: lines(/@ts-(ignore|nocheck)|lint-disable(?!-next-line [^ ]+ -- .)/),
    bad: ['src/a.ts', '// @ts-ignore\n'],
    good: ['src/a.ts', '// ignore\n'],
  },
  {
    name: 'nothing is left to do',
    fix: 'Do it, or leave the note out.',
    applies: isCode,
    breaches: lines(/\b(TODO|FIXME|XXX)\b/),
    bad: ['src/a.ts', '// TODO: more\n'],
    good: ['src/a.ts', '// todos\n'],
  },
  {
    name: 'no test is focused',
    fix: 'Remove .only, so that the others run too.',
    applies: (path) => path.startsWith('tests/') && path.endsWith('.ts'),
    breaches: used(/^(test|it|describe)\.only$/),
    bad: ['tests/a.test.ts', 'test.only("a", () => {})\n'],
    good: ['tests/a.test.ts', 'test("a.only", () => {})\n'],
  },
  {
    name: 'there is no default export',
    fix: 'Export it by its name.',
    applies: isScript,
    breaches: ({ syntax }) => syntax.defaultExports,
    bad: ['src/a.ts', 'export default function a() {}\n'],
    good: ['src/a.ts', 'switch (a) {\n  default:\n}\n'],
  },
  {
    name: 'a file is named after what it is about',
    fix: 'Rename it: utils, helpers, common, lib and index say nothing.',
    applies: isCode,
    breaches: ({ path }) =>
      /(^|\/)(utils?|helpers?|common|lib|misc|shared|index)(\.|\/)/.test(path)
        ? [{ line: 1, text: path }]
        : [],
    bad: ['src/api/utils.ts', ''],
    good: ['src/db/library.ts', ''],
  },
  {
    name: 'an import of our own file carries its ending',
    fix: "Write './name.ts'.",
    applies: isScript,
    breaches: ({ syntax }) =>
      syntax.imports.filter(({ text }) => /^\.\.?\//.test(text) && !/\.[a-z]+$/.test(text)),
    bad: ['src/a.ts', "import { b } from './b'\n"],
    good: ['src/a.ts', "import { b } from './b.ts'\n"],
  },
  {
    name: 'imports point down: main, then api | queue | worker, then ingest, then source | db | figura, then the rest',
    fix: 'Hand the function over in main.ts, or move what both need further down.',
    applies: inSrc,
    breaches: upwardImports,
    bad: ['src/queue/a.ts', "import { b } from '../worker/b.ts'\n"],
    good: ['src/ingest/a.ts', "import { b } from '../db/b.ts'\nimport { c } from '../job.ts'\n"],
  },
  {
    name: 'an exported function says what it does',
    fix: 'Write a doc comment: what, then why or what to beware of.',
    applies: inSrc,
    breaches: ({ syntax }) => syntax.undocumented,
    bad: ['src/a.ts', 'export function a() {}\n'],
    good: ['src/a.ts', '/** Makes an a. */\nexport function a() {}\n'],
  },
  {
    name: 'the environment is read in src/config.ts; the main files hand it over whole',
    fix: 'Add a field to Config and use that.',
    applies: (path) => inSrc(path) && path !== 'src/config.ts',
    breaches: (file) => {
      const parts = used(/^(process|Bun|import\.meta)\.env\./)(file)
      return mainFiles.includes(file.path)
        ? parts
        : [...parts, ...used(/^(process|Bun|import\.meta)\.env$/)(file)]
    },
    bad: ['src/main.ts', 'const port = process.env.PORT\n'],
    good: ['src/main.ts', 'const config = readConfig(process.env)\n'],
  },
  kept('console', ['src/log.ts'], used(/^console\./), 'console.log(1)\n', 'Take a Log and write to that'),
  kept('new Worker', ['src/worker/pool.ts'], used(/^new Worker$/), 'new Worker("a")\n'),
  kept('elysia', ['src/api/'], imported('elysia'), "import { Elysia } from 'elysia'\n"),
  kept('@elysiajs/', ['src/api/'], imported('@elysiajs'), "import { openapi } from '@elysiajs/openapi'\n"),
  kept(
    '@nats-io/',
    ['src/queue/'],
    imported('@nats-io'),
    "import { connect } from '@nats-io/transport-node'\n",
  ),
  kept(
    '@duckdb/',
    ['src/db/duckdb.ts', 'src/ingest/'],
    imported('@duckdb'),
    "import a from '@duckdb/node-api'\n",
  ),
  kept(
    'SQL',
    ['src/db/', 'src/ingest/sql'],
    ({ syntax }) => syntax.literals.filter(({ text }) => sql.test(text)),
    'const a = `select a from ${b}`\n',
    'Make it a function of its own there',
  ),
  {
    name: 'the project speaks of nothing outside itself',
    fix: 'Say the thing itself: a reader has only this repository.',
    applies: () => true,
    breaches: lines(/(^|[\s"'`(=:])\/(work|root|home)\/[a-z]|\.\.\/shared\b|\bissue #?\d+/i),
    bad: ['README.md', 'See issue 7.\n'],
    good: ['README.md', 'See src/api/work/a.ts.\n'],
  },
]
