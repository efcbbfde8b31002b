import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'bun:test'
import { parse, parseDocument } from 'yaml'
import { parseFigura } from '../src/figura/load.ts'
import { FiguraFile, figuraJsonSchema } from '../src/figura/schema.ts'

/** The contract of every file in figuras/: whoever drops a file in finds out here what is expected of it. */
const folder = join(import.meta.dir, '../figuras')
/** `cases` has the cases of each: tests/contract runs them. */
const files = readdirSync(folder).filter((file) => file !== 'figura.schema.json' && file !== 'cases')

test('the folder holds figuras, and the schema for editors is the one that checks them', async () => {
  expect(files.length).toBeGreaterThan(0)
  const kept: unknown = await Bun.file(join(folder, 'figura.schema.json')).json()
  // red: run `bun scripts/figura-schema.ts`, which writes figuras/figura.schema.json anew
  expect(kept).toEqual(figuraJsonSchema())
})

test('keys that YAML reads as something else than a text are taken by editors too', () => {
  // an editor that meets the key null asks the patterns for it, and not the properties
  const found = objectsOf(figuraJsonSchema()).flatMap(({ properties = {}, patternProperties = {} }) =>
    Object.keys(properties)
      .filter((name) => typeof parse(name) !== 'string')
      .map((name) => [name, Object.keys(patternProperties).some((one) => new RegExp(one).test(name))]),
  )
  expect(found).toEqual([['null', true]])
})

type Mapping = { properties?: object; patternProperties?: object }

/** A schema and all within it. */
function objectsOf(schema: object): Mapping[] {
  const inner: unknown[] = Object.values(schema)
  return [schema, ...inner.flatMap((one) => (one && typeof one === 'object' ? objectsOf(one) : []))]
}

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(folder, file), 'utf8')
  const name = file.replace(/\.yaml$/, '')

  test('has no errors', () => {
    expect(file).toEndWith('.yaml')
    const parsed = parseFigura(name, text)
    expect('errors' in parsed ? parsed.errors.map((error) => error.message) : []).toEqual([])
  })

  test('names the schema, so that editors help', () => {
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./figura.schema.json')
  })

  test('has its parts in the order that every figura has', () => {
    const parts = Object.keys(parseDocument(text).toJS())
    expect(parts).toEqual(Object.keys(FiguraFile.properties).filter((part) => parts.includes(part)))
  })

  test('has sources that end with a "/", which nobody can misread', () => {
    const parsed = parseFigura(name, text)
    for (const source of 'figura' in parsed ? parsed.figura.sources : []) expect(source).toEndWith('/')
  })
})
