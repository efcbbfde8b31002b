import { describe, expect, test } from 'bun:test'
import { hashOf, parseFigura } from '../../src/figura/load.ts'
import type { Figura } from '../../src/figura/types.ts'

const WHOLE = `description: Contratos por filial
table: cadastro.contratos
key: [filial, id]
columns:
  filial: { type: smallint }
  id: { type: bigint, min: 1, max: '9223372036854775807' }
  cnpj: { type: text, required: true, pattern: '^[0-9]{14}$', null_if: ['', '-', 00], max_length: 14 }
  uf: { type: char(2), from: [estado, UF, sigla], enum: [AC, AL, SP], default: SP }
  nome: { type: varchar(200), expr: 'upper(trim(nome_bruto))', sensitive: true }
  limite: { type: 'numeric(15,2)', min: 0, max: 1000000.50, check: 'limite <> 13', default: 0 }
  ativo: { type: boolean, default: false }
  inicio: { type: date, min: 2000-01-01, max: '2099-12-31' }
  fim: { type: date, missing: fill }
  criado_em: { type: timestamptz, only_insert: true, min: 2000-01-01T00:00:00Z }
  atualizado_em: { type: timestamptz, required: true, missing: keep }
  tags: { type: 'text[]' }
checks: { vigencia: 'inicio <= fim', "sem ponto": "nome not like '%;%'" }
extra: { keep: outros }
load:
  mode: replace
  allow: [delete, merge]
  version: atualizado_em
  duplicates: newest
  scope: [filial]
  max_delete_percent: 12.5
  delete_marker: { from: excluido, how: soft, at: excluido_em }
  history: true
  audit: { loaded_at: carregado_em, job_id: carga_id }
rejects: { max_rows: 100, max_percent: 1 }
limits: { max_bytes: 500000000, max_rows: 1000000 }
csv: { delimiter: ';', quote: '', null: 'NULL', decimal: ',' }
sources: ['s3://exportacoes/contratos/']
`

const optional = { required: false }

test('a figura with all its parts is the contract', () => {
  expect(figuraOf(WHOLE)).toStrictEqual({
    name: 'contratos',
    description: 'Contratos por filial',
    table: { schema: 'cadastro', name: 'contratos' },
    key: ['filial', 'id'],
    columns: [
      { name: 'filial', type: { kind: 'smallint' }, required: true, from: 'filial' },
      {
        name: 'id',
        type: { kind: 'bigint' },
        required: true,
        from: 'id',
        min: 1,
        max: '9223372036854775807',
      },
      {
        name: 'cnpj',
        type: { kind: 'text' },
        required: true,
        from: 'cnpj',
        nullIf: ['', '-', '00'],
        pattern: '^[0-9]{14}$',
        maxLength: 14,
      },
      {
        name: 'uf',
        type: { kind: 'char', length: 2 },
        ...optional,
        from: 'estado',
        aliases: ['UF', 'sigla'],
        default: 'SP',
        enum: ['AC', 'AL', 'SP'],
      },
      {
        name: 'nome',
        type: { kind: 'varchar', length: 200 },
        ...optional,
        from: 'nome',
        expr: 'upper(trim(nome_bruto))',
        sensitive: true,
      },
      {
        name: 'limite',
        type: { kind: 'numeric', precision: 15, scale: 2 },
        ...optional,
        from: 'limite',
        default: 0,
        min: 0,
        max: 1000000.5,
        check: 'limite <> 13',
      },
      { name: 'ativo', type: { kind: 'boolean' }, ...optional, from: 'ativo', default: false },
      {
        name: 'inicio',
        type: { kind: 'date' },
        ...optional,
        from: 'inicio',
        min: '2000-01-01',
        max: '2099-12-31',
      },
      { name: 'fim', type: { kind: 'date' }, ...optional, from: 'fim', missing: 'fill' },
      {
        name: 'criado_em',
        type: { kind: 'timestamptz' },
        ...optional,
        from: 'criado_em',
        min: '2000-01-01T00:00:00Z',
        onlyInsert: true,
      },
      { name: 'atualizado_em', type: { kind: 'timestamptz' }, required: true, from: 'atualizado_em' },
      { name: 'tags', type: { kind: 'array', of: { kind: 'text' } }, ...optional, from: 'tags' },
    ],
    checks: { vigencia: 'inicio <= fim', 'sem ponto': "nome not like '%;%'" },
    extra: { keep: 'outros' },
    load: {
      mode: 'replace',
      allow: ['replace', 'merge', 'delete'],
      version: 'atualizado_em',
      duplicates: 'newest',
      scope: ['filial'],
      maxDeletePercent: 12.5,
      deleteMarker: { from: 'excluido', how: 'soft', at: 'excluido_em' },
      history: true,
      audit: { loadedAt: 'carregado_em', jobId: 'carga_id' },
    },
    rejects: { maxRows: 100, maxPercent: 1 },
    limits: { maxBytes: 500_000_000, maxRows: 1_000_000 },
    csv: { delimiter: ';', quote: '', nullText: 'NULL', decimal: ',' },
    sources: ['s3://exportacoes/contratos/'],
  })
})

test('the contract is equal to itself after it was kept as JSON', () => {
  const kept: unknown = JSON.parse(JSON.stringify(figuraOf(WHOLE)))
  expect(kept).toStrictEqual(figuraOf(WHOLE))
})

const SHORT = `description: Eventos
table: eventos
key: [id]
columns:
  id: { type: bigint }
sources: ['s3://exportacoes/eventos/']
`

describe('a part that is given in part is filled in', () => {
  const usual = {
    mode: 'merge',
    allow: ['merge'],
    duplicates: 'refuse',
    scope: [],
    maxDeletePercent: 50,
    history: false,
    audit: {},
  }
  test.each<[string, Partial<Figura>]>([
    ['load: { mode: insert }', { load: { ...usual, mode: 'insert', allow: ['insert'] } } as Partial<Figura>],
    ['load: { allow: [delete] }', { load: { ...usual, allow: ['merge', 'delete'] } } as Partial<Figura>],
    [
      'load: { audit: { job_id: carga } }',
      { load: { ...usual, audit: { jobId: 'carga' } } } as Partial<Figura>,
    ],
    [
      'load: { delete_marker: { from: fora, how: hard } }',
      { load: { ...usual, deleteMarker: { from: 'fora', how: 'hard' } } } as Partial<Figura>,
    ],
    ['rejects: { max_rows: 5 }', { rejects: { maxRows: 5, maxPercent: null } }],
    ['rejects: { max_percent: 0.5 }', { rejects: { maxRows: null, maxPercent: 0.5 } }],
    ['limits: { max_rows: 7 }', { limits: { maxRows: 7 } }],
    ["csv: { delimiter: ';' }", { csv: { delimiter: ';', quote: '"', nullText: '', decimal: '.' } }],
    ['extra: refuse', { extra: 'refuse' }],
  ])('%s', (part, added) => {
    expect(figuraOf(`${SHORT}${part}\n`)).toStrictEqual({ ...figuraOf(SHORT), ...added })
  })
})

test.each([
  'load: { mode: merge }',
  'load: {}',
  'load: { duplicates: refuse, max_delete_percent: 50, allow: [replace] }',
])('what says no more than the absence of a part is a contract of the same hash: %s', (part) => {
  const same = hashOf(figuraOf(`${SHORT}${part}\n`)) === hashOf(figuraOf(SHORT))
  expect(same).toBe(!part.includes('replace'))
})

test.each(['load: { mode: append }', 'load: { mode: append, allow: [append] }'])(
  'a figura that does nothing but append needs no key: %s',
  (part) => {
    const keyless = SHORT.replace('key: [id]\n', '')
    expect(figuraOf(`${keyless}${part}\n`).key).toEqual([])
    expect(figuraOf(`${SHORT.replace('[id]', '[]')}${part}\n`).key).toEqual([])
  },
)

describe('the hash changes with', () => {
  test.each([
    ["'^[0-9]{14}$'", "'^[0-9]{14}'"],
    ["null_if: ['', '-', 00]", "null_if: ['', '-', 0]"],
    ['max_length: 14', 'max_length: 15'],
    ['[estado, UF, sigla]', '[estado, sigla, UF]'],
    ['enum: [AC, AL, SP]', 'enum: [AC, SP]'],
    ['default: SP', 'default: AC'],
    ['default: false', 'default: true'],
    ['upper(trim(nome_bruto))', 'trim(nome_bruto)'],
    [', sensitive: true', ''],
    ['min: 1,', 'min: 2,'],
    ['max: 1000000.50', 'max: 1000000.51'],
    ['limite <> 13', 'limite <> 14'],
    [', missing: fill', ''],
    ['only_insert: true, ', ''],
    ['inicio <= fim', 'inicio < fim'],
    ['vigencia:', 'periodo:'],
    ['keep: outros', 'keep: mais'],
    ['{ keep: outros }', 'ignore'],
    ['mode: replace', 'mode: merge'],
    ['allow: [delete, merge]', 'allow: [delete]'],
    ['version: atualizado_em', 'version: inicio'],
    ['duplicates: newest', 'duplicates: last'],
    ['scope: [filial]', 'scope: [filial, uf]'],
    ['max_delete_percent: 12.5', 'max_delete_percent: 12'],
    ['how: soft, at: excluido_em', 'how: hard'],
    ['at: excluido_em', 'at: fora_em'],
    ['from: excluido,', 'from: fora,'],
    ['history: true', 'history: false'],
    ['loaded_at: carregado_em, ', ''],
    ['job_id: carga_id', 'job_id: carga'],
    ['max_rows: 100,', 'max_rows: 101,'],
    ['max_percent: 1 ', 'max_percent: 2 '],
    ['max_bytes: 500000000', 'max_bytes: 500000001'],
    ['max_rows: 1000000 ', 'max_rows: 1000001 '],
    ["delimiter: ';'", "delimiter: '|'"],
    ["quote: ''", "quote: '~'"],
    ["null: 'NULL'", "null: ''"],
    ["decimal: ','", "decimal: '.'"],
  ])('%s: %s', (from, to) => {
    const replaced =
      from === 'mode: replace' ? WHOLE.replace('allow: [delete', 'allow: [replace, delete') : WHOLE
    const text = replaced.replace(from, to)
    expect(text).not.toBe(replaced)
    expect(hashOf(figuraOf(text))).not.toBe(hashOf(figuraOf(WHOLE)))
  })
})

function figuraOf(text: string): Figura {
  const parsed = parseFigura('contratos', text)
  if ('errors' in parsed) throw new Error(parsed.errors.map((error) => error.message).join('\n'))
  return parsed.figura
}
