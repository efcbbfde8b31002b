import { messageOf } from '../log.ts'
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml'
import type { Fault, Place } from './fault.ts'

/** A YAML text as plain data that still knows where each part of it stands. */
export type YamlText = {
  value: unknown
  /** Where the key at a path stands (the entry, in a list), or the nearest thing above it that does exist. */
  place(path: readonly string[]): Place
  /**
   * The keys of the mapping at a path in the order of the text; an object of JavaScript has "2" before "a".
   */
  names(path: readonly string[]): string[]
  /** How the text writes the plain value at a path: of a number, digits that JavaScript's would lack. */
  source(path: readonly string[]): string | undefined
}

/**
 * Reads YAML 1.2: mappings, lists and plain values, without tags, so that a text can only ever become plain
 * data. Anchors and aliases may be used; how far they multiply is bounded.
 */
export function readYaml(text: string): YamlText | { faults: Fault[] } {
  const lines = new LineCounter()
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  if (isDeep(text)) {
    return {
      faults: [
        { line: 1, column: 1, found: `more than ${MAX_DEPTH} levels`, expected: 'the four of a figura' },
      ],
    }
  }
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: true,
      merge: false,
    })
    const faults = [
      ...firstOf(document.errors).map((error) => ({ ...placeOf(error.pos[0]), ...saidOf(error, text) })),
      ...oddities(document).map(({ offset, ...said }) => ({ ...placeOf(offset), ...said })),
    ]
    if (faults.length) return { faults: faults.toSorted((a, b) => a.line - b.line) }
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return {
      value,
      place: (path) => placeOf(find(document, path).offset),
      names: (path) => namesOf(find(document, path).node),
      source: (path) => sourceOf(find(document, path).node),
    }
  } catch (error) {
    // aliases that multiply beyond MAX_ALIASES
    const said = messageOf(error)
    return {
      faults: [
        { line: 1, column: 1, found: `YAML that cannot be unfolded (${said})`, expected: 'plain data' },
      ],
    }
  }
}

/** Uses of anchors, counted as they multiply. Nobody needs one in a figura; ten columns may share a type. */
const MAX_ALIASES = 100

/** The parser calls itself for each level, and takes a minute over 20,000 of them before it gives up. */
const MAX_DEPTH = 100

/**
 * Whether brackets, or markers of lists and keys in one line, are nested too deep to be parsed. By sight:
 * quotes do not count.
 */
function isDeep(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    if (depth > MAX_DEPTH) return true
  }
  return new RegExp(`([-?]\\s+){${MAX_DEPTH}}`).test(text)
}

/** Faults that leave the rest of the text readable. After any other, what follows is an echo of it. */
const CONTAINED = new Set(['DUPLICATE_KEY', 'NON_STRING_KEY'])

function firstOf(errors: YAMLError[]): YAMLError[] {
  const end = errors.findIndex((error) => !CONTAINED.has(error.code))
  return end < 0 ? errors : errors.slice(0, end + 1)
}

function saidOf(error: YAMLError, text: string): { found: string; expected: string } {
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return {
        found: `the key ${/^[^\s:]*/.exec(text.slice(error.pos[0]))?.[0]} twice`,
        expected: 'each key once',
      }
    case 'NON_STRING_KEY':
      return { found: 'a key that is a list or a mapping', expected: 'a plain name' }
    case 'MULTIPLE_DOCS':
      return { found: 'a second document', expected: 'one figura in one file' }
    default:
      return {
        found: `what is not YAML (${error.message.replace(/\.$/, '')})`,
        expected: `YAML; a value with a bracket or a comma needs quotes, as in 'text[]'`,
      }
  }
}

/**
 * What YAML allows and a figura does not: tags, other versions, and anchors that are missing or contain
 * themselves.
 */
function oddities(document: Document): { offset: number; found: string; expected: string }[] {
  const odd: { offset: number; found: string; expected: string }[] = []
  const version = document.directives?.yaml.version
  if (version !== undefined && version !== '1.2')
    odd.push({ offset: 0, found: `YAML ${version}`, expected: 'YAML 1.2' })
  visit(document, (_, node) => {
    if (!isNode(node)) return
    const offset = node.range?.[0] ?? 0
    if (node.tag) odd.push({ offset, found: `the tag ${node.tag}`, expected: 'a value without a tag' })
    if (!isAlias(node)) return
    const [start, end] = node.resolve(document)?.range ?? [Infinity, 0]
    if (offset < start)
      odd.push({ offset, found: `*${node.source}`, expected: `an anchor &${node.source} above it` })
    // the way to a value that contains itself, in which whoever walks it never arrives
    else if (offset < end)
      odd.push({ offset, found: `*${node.source} within &${node.source}`, expected: 'it after its end' })
  })
  return odd
}

/**
 * The node at a path, undefined where there is none, and where the last part of the path that exists begins.
 */
function find(document: Document, path: readonly string[]): { node: unknown; offset: number } {
  let node: unknown = document.contents
  let offset = 0
  for (const name of path) {
    if (isSeq(node)) {
      node = node.items[Number(name)]
      if (isNode(node)) offset = node.range?.[0] ?? offset
    } else {
      const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === name) : undefined
      if (isNode(pair?.key)) offset = pair.key.range?.[0] ?? offset
      node = pair?.value
    }
    if (isAlias(node)) node = node.resolve(document)
  }
  return { node, offset }
}

function namesOf(node: unknown): string[] {
  return isMap(node) ? node.items.map(({ key }) => String(isScalar(key) ? key.value : key)) : []
}

function sourceOf(node: unknown): string | undefined {
  return isScalar(node) ? node.source : undefined
}
