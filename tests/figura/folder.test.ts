import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type Figuras, openFiguras } from '../../src/figura/load.ts'

const FORNECEDORES = readFileSync(join(import.meta.dir, '../../figuras/fornecedores.yaml'), 'utf8')
let dir: string
let figuras: Figuras

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'figuras-'))
  figuras = openFiguras(dir, ['*'])
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('the folder of figuras', () => {
  test('serves a file from the moment it is dropped in until it is removed', () => {
    expect(figuras.get('lojas')).toBeUndefined()
    write('lojas')
    expect(figuras.get('lojas')?.figura?.name).toBe('lojas')
    expect(figuras.get('lojas')?.figura?.table.name).toBe('fornecedores')
    expect(names()).toEqual(['lojas'])
    rmSync(join(dir, 'lojas.yaml'))
    expect(figuras.get('lojas')).toBeUndefined()
    expect(names()).toEqual([])
  })

  test('breaks a figura with a source that nobody has registered, and no other', () => {
    figuras = openFiguras(dir, ['s3://exportacoes/fornecedores/', 'https://arquivos.exemplo.com.br/'])
    write('lojas')
    write('outras', FORNECEDORES.replace('s3://exportacoes/fornecedores/', 's3://exportacoes/'))
    expect(figuras.get('lojas')?.figura).toBeDefined()
    const [error, ...more] = figuras.get('outras')?.errors ?? []
    expect(error?.message).toMatch(
      /^outras.yaml:\d+: found the source "s3:\/\/exportacoes\/", which is not registered/,
    )
    expect(error?.message).toContain('ask the administrator of the service to add it to SOURCES')
    expect(more).toEqual([])
    expect(openFiguras(dir, []).get('lojas')?.errors).toHaveLength(2)
  })

  test('has the others go on when one breaks, and says what is wrong with that, not what it once was', () => {
    write('lojas')
    write('outras')
    expect(figuras.get('lojas')?.figura).toBeDefined()
    write('lojas', FORNECEDORES.replace('key: [id]', 'key: [nada]'))
    expect(figuras.get('lojas')?.figura).toBeUndefined()
    expect(figuras.get('lojas')?.errors?.[0]?.message).toContain('lojas.yaml:4: found the key column "nada"')
    expect(figuras.list().map(({ name, errors }) => [name, errors?.length ?? 0])).toEqual([
      ['lojas', 1],
      ['outras', 0],
    ])
    write('lojas')
    expect(figuras.get('lojas')?.figura).toBeDefined()
  })

  test('sees a change that leaves length and time of change as they were', () => {
    const past = new Date('2020-01-01')
    for (let round = 0; round < 50; round++) {
      const letter = String.fromCharCode(65 + (round % 26))
      write('lojas', FORNECEDORES.replace('Cadastro', `${letter}adastro`))
      utimesSync(join(dir, 'lojas.yaml'), past, past)
      expect(figuras.get('lojas')?.figura?.description).toStartWith(letter)
    }
  })

  test('sees a file that was put in the place of another, as a mounted configuration is', () => {
    write('a')
    write('b', FORNECEDORES.replace('Cadastro', 'Registro'))
    symlinkSync(join(dir, 'a.yaml'), join(dir, 'lojas.yaml'))
    expect(figuras.get('lojas')?.figura?.description).toStartWith('Cadastro')
    symlinkSync(join(dir, 'b.yaml'), join(dir, 'novo'))
    renameSync(join(dir, 'novo'), join(dir, 'lojas.yaml'))
    expect(figuras.get('lojas')?.figura?.description).toStartWith('Registro')
  })

  test('reads a file again only when it has changed', async () => {
    write('lojas')
    const stable = async () => {
      // a file is remembered once its stamp is older than a tick of the clock
      while (figuras.get('lojas') !== figuras.get('lojas')) await Bun.sleep(5)
      return figuras.get('lojas')
    }
    const before = await stable()
    expect(figuras.list()[0] === before).toBeTrue()
    write('lojas', FORNECEDORES.replace('Cadastro', 'Registro'))
    expect(figuras.get('lojas') === before).toBeFalse()
  })

  test('lists files that were probably meant as figuras, with what is wrong with their names', () => {
    write('Lojas')
    writeFileSync(join(dir, 'outras.yml'), FORNECEDORES)
    for (const other of ['figura.schema.json', 'README.md', '.oculto.yaml'])
      writeFileSync(join(dir, other), '')
    mkdirSync(join(dir, 'pasta.yaml'))
    expect(figuras.list().map(({ errors }) => errors?.[0]?.found)).toEqual([
      'the file name "Lojas.yaml"',
      'the file name outras.yml',
    ])
    expect(figuras.list().map(({ errors }) => errors?.[0]?.message.split(':')[0])).toEqual([
      'Lojas.yaml',
      'outras.yml',
    ])
  })

  test.each(['../lojas', 'lojas.yaml', 'LOJAS', 'a/b', '', '..', 'lojas\0', 'figuras'])(
    'knows no figura %p, and looks for no such file',
    (name) => {
      write('lojas')
      write('figuras')
      expect(figuras.get(name)).toBeUndefined()
    },
  )

  test('refuses a file that is far too large without reading it', () => {
    write('lojas', `${FORNECEDORES}#${' '.repeat(128 * 1024)}`)
    expect(figuras.get('lojas')?.errors?.[0]?.expected).toBe('at most 131072')
  })

  test('has to be there at the start, and serves nothing while it is gone', () => {
    expect(() => openFiguras(join(dir, 'nada'), ['*'])).toThrow(/found no folder .*nada/)
    write('lojas')
    rmSync(dir, { recursive: true })
    expect(figuras.list()).toEqual([])
    expect(figuras.get('lojas')).toBeUndefined()
  })
})

function write(name: string, text = FORNECEDORES): void {
  writeFileSync(join(dir, `${name}.yaml`), text)
}

function names(): string[] {
  return figuras.list().map(({ name }) => name)
}
