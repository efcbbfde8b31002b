import { isRegistered, parseAddress } from '../address.ts'
import { checkAlike, checkFrom, readColumns } from './column.ts'
import { readCsv } from './csv.ts'
import { checkExpression } from './expression.ts'
import { type Fault, quoted } from './fault.ts'
import { checkKey, checkNoKey } from './key.ts'
import { isUsual, readLoad } from './loading.ts'
import { checkText } from './name.ts'
import { given, numberOf, type Part, type Say, textOf, textsOf, wholeOf, within, wordOf } from './part.ts'
import { checkServiceColumns } from './service-columns.ts'
import { checkHistoryName, readTable } from './table.ts'
import { type Extra, type Figura, MODES, type Rejects } from './types.ts'
import type { YamlText } from './yaml.ts'

/**
 * Reads what the parts of a figura file mean and checks them against each other. It takes a text of any
 * structure, and is silent about the parts that have a wrong one, so that both kinds of faults are told at
 * once. `registered`: the prefixes under which its sources have to lie.
 */
export function readMeaning(
  yaml: YamlText,
  registered: readonly string[],
): { figura: Omit<Figura, 'name'>; faults: Fault[] } {
  const faults: Fault[] = []
  const whole = wholeOf(yaml, faults)
  const { values, say } = whole
  const description = textOf(values.description) ?? ''
  checkText(description, 'a text', ['description'], say)
  const table = readTable(whole)
  const key = textsOf(values.key)
  const columns = readColumns(whole, key)
  const checks = readChecks(whole)
  const extra = readExtra(whole)
  const load = readLoad(whole, { key, columns })
  const sources = textsOf(values.sources)

  checkKey(key, columns, whole)
  // of a mode that is no word of ours nobody knows whether it needs one
  if (within(whole, 'load').values.mode === undefined || wordOf(within(whole, 'load').values.mode, MODES))
    checkNoKey(load, whole)
  checkFrom(columns, whole)
  checkAlike(columns, checks, whole)
  if (load.history) checkHistoryName(table, whole)
  checkServiceColumns(load, extra, columns, whole)
  sources.forEach((source, index) => checkPrefix(source, registered, ['sources', String(index)], say))
  const figura = given({
    description,
    table,
    key,
    columns,
    checks,
    extra,
    // as when the file does not say it, so that a contract of equal meaning keeps its hash
    load: isUsual(load) ? undefined : load,
    rejects: readRejects(whole),
    limits: readLimits(whole),
    csv: readCsv(whole),
    sources,
  })
  return { figura, faults }
}

function readChecks(whole: Part): Figura['checks'] {
  const { values, names, say } = within(whole, 'checks')
  const entries = names([]).flatMap((name) => {
    const text = textOf(values[name])
    if (checkText(name, 'the name of a check', [name], say) && name.trim() === '')
      say([name], 'a check without a name', 'a name that errors show')
    if (text === undefined) return []
    checkExpression(text, 'the check', [name], say)
    return [[name, text] as const]
  })
  return entries.length ? Object.fromEntries(entries) : undefined
}

function readExtra(whole: Part): Extra | undefined {
  const keep = textOf(within(whole, 'extra').values.keep)
  return keep === undefined ? wordOf(whole.values.extra, ['ignore', 'refuse'] as const) : { keep }
}

function readRejects(whole: Part): Rejects | undefined {
  const { values } = within(whole, 'rejects')
  const rejects = {
    maxRows: numberOf(values.max_rows) ?? null,
    maxPercent: numberOf(values.max_percent) ?? null,
  }
  return rejects.maxRows === null && rejects.maxPercent === null ? undefined : rejects
}

function readLimits(whole: Part): Figura['limits'] {
  const { values } = within(whole, 'limits')
  const limits = given({
    maxBytes: numberOf(values.max_bytes),
    maxRows: numberOf(values.max_rows),
    maxSeconds: secondsOf(textOf(values.max_duration)),
  })
  return Object.keys(limits).length ? limits : undefined
}

/** `2h` in seconds; what is no duration the schema tells. */
function secondsOf(text: string | undefined): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,4})([smhd])$/.exec(text ?? '') ?? []
  return count === undefined ? undefined : Number(count) * (UNIT_SECONDS[unit] ?? 1)
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** A prefix is an address without what differs from file to file. */
function checkPrefix(source: string, registered: readonly string[], path: string[], say: Say): void {
  if (!checkText(source, 'a source', path, say)) return
  const address = parseAddress(source)
  if ('found' in address) {
    say(path, `a source with ${address.found}`, address.expected)
  } else if (address.query) {
    say(path, 'a source with a query', 'a prefix, which ends before the "?"')
  } else if (!isRegistered(address, registered)) {
    const expected = 'one that is: ask the administrator of the service to add it to SOURCES'
    say(path, `the source ${quoted(source)}, which is not registered`, expected)
  }
}
