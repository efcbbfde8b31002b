import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { hashOf, parseFigura } from '../../src/figura/load.ts'
import type { Figura } from '../../src/figura/types.ts'

const WHOLE = `description: Lojas
table: cadastro.lojas
key: [id]
columns:
  id: { type: bigint }
  uf: { type: char(2), from: estado }
  nome: { type: text, required: true }
  saldo: { type: 'numeric(15,2)' }
  tags: { type: 'text[]' }
sources: ['s3://exportacoes/lojas/']
`

describe('a figura file', () => {
  test('becomes the contract, with what it leaves out filled in', () => {
    expect(figuraOf(WHOLE)).toEqual({
      name: 'lojas',
      description: 'Lojas',
      table: { schema: 'cadastro', name: 'lojas' },
      key: ['id'],
      columns: [
        { name: 'id', type: { kind: 'bigint' }, required: true, from: 'id' },
        { name: 'uf', type: { kind: 'char', length: 2 }, required: false, from: 'estado' },
        { name: 'nome', type: { kind: 'text' }, required: true, from: 'nome' },
        { name: 'saldo', type: { kind: 'numeric', precision: 15, scale: 2 }, required: false, from: 'saldo' },
        { name: 'tags', type: { kind: 'array', of: { kind: 'text' } }, required: false, from: 'tags' },
      ],
      sources: ['s3://exportacoes/lojas/'],
    })
  })

  test('means a table of the schema public when it names no schema', () => {
    expect(figuraOf(WHOLE.replace('cadastro.lojas', 'lojas')).table).toEqual({
      schema: 'public',
      name: 'lojas',
    })
  })

  test('keeps its columns in their order, whatever they are called', () => {
    const text = WHOLE.replace(
      '  uf:',
      '  "2024": { type: integer }\n  __proto__: { type: text }\n  on: { type: boolean }\n  uf:',
    )
    expect(figuraOf(text).columns.map((column) => column.name)).toEqual(
      'id 2024 __proto__ on uf nome saldo tags'.split(' '),
    )
  })

  test('may use anchors', () => {
    const text = WHOLE.replace('{ type: bigint }', '&id { type: bigint }').replace(
      '  uf:',
      '  outro: *id\n  uf:',
    )
    expect(figuraOf(text).columns[1]).toEqual({
      name: 'outro',
      type: { kind: 'bigint' },
      required: false,
      from: 'outro',
    })
  })
})

describe('an error names the file, the line, what was found and what was expected', () => {
  const cases: [does: string, from: string | RegExp, to: string, line: number, message: string | RegExp][] = [
    [
      'unknown part',
      'description:',
      'descripton:',
      1,
      /found the key "descripton", expected description, .*mean "description"/,
    ],
    ['missing part', "sources: ['s3://exportacoes/lojas/']", '', 1, /found no "sources" in the file/],
    ['part of another kind', 'key: [id]', 'key: id', 3, 'found "id", expected a list'],
    ['empty key', 'key: [id]', 'key: []', 3, 'found an empty list, expected at least one entry'],
    ['key twice', 'key: [id]', 'key: [id, id]', 3, 'found a list, expected each entry once'],
    [
      'key that is no column',
      'key: [id]',
      'key: [idd]',
      3,
      /key column "idd", expected a name from columns .*mean "id"/,
    ],
    ['key of an array', 'key: [id]', 'key: [tags]', 3, /key column "tags", which is an array/],
    ['key of jsonb', 'id: { type: bigint }', 'id: { type: jsonb }', 3, /key column "id", which is jsonb/],
    ['key not required', 'bigint }', 'bigint, required: false }', 5, 'found required: false on a key column'],
    [
      'no columns',
      /columns:(\n  .*)+/,
      'columns: {}',
      4,
      'found an empty mapping, expected at least one entry',
    ],
    ['short form of a column', 'id: { type: bigint }', 'id: bigint', 5, /found "bigint", expected a mapping/],
    ['unknown part of a column', 'from: estado', 'form: estado', 6, /found the key "form".*mean "from"/],
    ['no type', '{ type: bigint }', '{}', 5, /found no "type" in "id", expected one, such as bigint/],
    ['unknown type', 'bigint', 'bigit', 5, /found the type "bigit", expected one of boolean/],
    ['another name of a type', 'bigint', 'int8', 5, /found the type "int8", expected the name bigint/],
    [
      'type without quotes',
      "'numeric(15,2)'",
      'numeric(15,2)',
      8,
      /"numeric\(15", cut at a comma, expected quotes/,
    ],
    [
      'required that is no boolean',
      'required: true',
      'required: sim',
      7,
      'found "sim", expected true or false',
    ],
    ['column of the file twice', 'from: estado', 'from: NOME', 7, /found "nome", which "uf" reads too/],
    ['column that PostgreSQL has', '  id: {', '  ctid: {', 5, /found the column "ctid"/],
    [
      'name too long',
      '  uf: {',
      `  ${'ã'.repeat(32)}: {`,
      6,
      'found a name of 64 bytes, expected at most 63',
    ],
    ['name with a NUL', '  uf: {', '  "u\\0": {', 6, 'found a NUL in a name'],
    ['table of three parts', 'cadastro.lojas', 'a.b.c', 2, 'found "a.b.c", expected schema.table or table'],
    ['table of the service', 'cadastro.lojas', 'bulk.job', 2, 'found the schema "bulk"'],
    ['table of PostgreSQL', 'cadastro.lojas', 'pg_catalog.pg_class', 2, 'found the schema "pg_catalog"'],
    [
      'source with a query',
      's3://exportacoes/lojas/',
      'https://a.com/x?y=1',
      10,
      'found a source with a query',
    ],
    [
      'source with a password',
      's3://exportacoes/lojas/',
      'https://a:b@c.com/',
      10,
      /a source with a user name or password/,
    ],
    [
      'source of another scheme',
      's3://exportacoes/lojas/',
      'ftp://a.com/',
      10,
      /found a source with "ftp:\/\/a.com\/"/,
    ],
    ['source without TLS', 's3://exportacoes/lojas/', 'http://a.com/', 10, /expected https:\/\/a.com/],
    ['key of the mapping twice', '  nome:', '  uf:', 7, 'found the key uf twice, expected each key once'],
    ['tag', '{ type: bigint }', '!!map { type: bigint }', 5, /found the tag tag:yaml.org,2002:map/],
    ['tag of code', '{ type: bigint }', '!!js/function { type: bigint }', 5, /found the tag/],
    [
      'older YAML',
      'description: Lojas',
      '%YAML 1.1\n---\ndescription: Lojas',
      1,
      'found YAML 1.1, expected YAML 1.2',
    ],
    ['second document', 'sources:', '---\nsources:', 10, 'found a second document'],
    [
      'anchor that is missing',
      '{ type: bigint }',
      '*nada',
      5,
      'found *nada, expected an anchor &nada above it',
    ],
    ['anchor within itself', 'key: [id]', 'key: &k [*k]', 3, 'found *k within &k'],
    ['tab', '  id: {', '\tid: {', 5, /found what is not YAML \(Tabs are not allowed/],
    [
      'type with a bracket',
      "'text[]'",
      'text[]',
      9,
      /expected YAML; a value with a bracket or a comma needs quotes/,
    ],
  ]
  test.each(cases)('%s', (_, from, to, line, message) => {
    const text = WHOLE.replace(from, to)
    expect(text).not.toBe(WHOLE)
    const errors = errorsOf(text)
    const wanted = errors.find((error) => error.line === line && matches(error.message, message))
    // red: shows what was said instead
    if (!wanted)
      expect(errors.map((error) => error.message)).toEqual([`lojas.yaml:${line}: ${String(message)}`])
    expect(wanted?.message).toStartWith(
      `lojas.yaml:${line}: found ${wanted?.found}, expected ${wanted?.expected}`,
    )
  })

  test('all of them at once, from top to bottom', () => {
    const text = WHOLE.replace('table:', 'tabel:')
      .replace('bigint', 'bigit')
      .replace('from:', 'form:')
      .replace('s3:', 's4:')
    expect(errorsOf(text).map((error) => error.line)).toEqual([1, 2, 5, 6, 10])
  })

  test('one error of syntax is told without its echoes', () => {
    expect(errorsOf(WHOLE.replace("'text[]'", 'text[]'))).toHaveLength(1)
  })
})

describe('a text that means harm', () => {
  test('of anchors that multiply is refused before it is unfolded', () => {
    const levels = 'bcdefghij'
      .split('')
      .map((name, at) => `${name}: &${name} [${`*${'abcdefghij'[at]},`.repeat(9)}]`)
    expect(errorsOf(['a: &a [x,x,x,x,x,x,x,x,x]', ...levels].join('\n'))[0]?.found).toContain(
      'Excessive alias count',
    )
  })

  test.each(['[', '- ', '? ', '{a: ', '-\n', '[\n'])(
    'that is nested without end (%j) is refused at once',
    (level) => {
      expect(errorsOf(level.repeat(50_000))[0]?.found).toBe('more than 100 levels')
    },
  )

  test('of any kind is a figura or a list of errors with lines that exist', () => {
    const edits = fc.array(
      fc.record({
        at: fc.nat(WHOLE.length),
        cut: fc.nat(12),
        put: fc.oneof(
          fc.constantFrom(...'{ } [ ] : , & * ! ? | > % @ ` " \' # - \n \t \0 --- <<: *a &a'.split(' ')),
          fc.string({ maxLength: 4 }),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(edits, (changes) => {
        let text = WHOLE
        for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut)
        const parsed = parseFigura('lojas', text)
        if ('figura' in parsed) return
        expect(parsed.errors).not.toBeEmpty()
        for (const error of parsed.errors) {
          expect(error.line).toBeWithin(1, text.split(/\r\n|\r|\n/).length + 1)
        }
      }),
      { numRuns: 500, seed: 20260101 },
    )
  })
})

test.each(['Lojas', '1lojas', 'lojas-novas', 'lo.jas', 'a'.repeat(64), '', '_x', 'figuras', 'metrics'])(
  'the file name %p is no name of a figura',
  (name) => {
    const parsed = parseFigura(name, WHOLE)
    expect('errors' in parsed && parsed.errors.map((error) => error.found)).toEqual([
      `the file name "${name}.yaml"`,
    ])
  },
)

describe('the hash of a figura', () => {
  test('stays when only layout and comments change', () => {
    const other = `# lojas\n${WHOLE.replace('{ type: bigint }', '\n    type: "bigint"\n    required: true')}`
    expect(hashOf(figuraOf(other))).toBe(hashOf(figuraOf(WHOLE)))
    expect(hashOf(figuraOf(WHOLE))).toMatch(/^[0-9a-f]{32}$/)
  })

  test('is that of the contract as it comes back from the database, with its keys in another order', () => {
    const figura = figuraOf(WHOLE)
    const { sources, columns, key, table, description, name } = figura
    expect(hashOf({ sources, columns, key, table, description, name })).toBe(hashOf(figura))
  })

  test.each([
    ['bigint', 'integer'],
    ['from: estado', 'from: sigla'],
    ['s3://exportacoes/lojas/', 's3://exportacoes/outras/'],
  ])('changes when %s becomes %s', (from, to) => {
    expect(hashOf(figuraOf(WHOLE.replace(from, to)))).not.toBe(hashOf(figuraOf(WHOLE)))
  })
})

function matches(message: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? message.includes(wanted) : wanted.test(message)
}

function figuraOf(text: string): Figura {
  const parsed = parseFigura('lojas', text)
  if ('errors' in parsed) throw new Error(parsed.errors.map((error) => error.message).join('\n'))
  return parsed.figura
}

function errorsOf(text: string) {
  const parsed = parseFigura('lojas', text)
  return 'errors' in parsed ? parsed.errors : []
}
