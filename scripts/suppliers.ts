import { parseArgs } from 'node:util'
import { type Dice, dice } from './dice.ts'
import { changed, respelled, type Supplier, supplier } from './supplier.ts'

/**
 * What the second list does to the first, so that the result of loading it can be told before it is loaded.
 */
export type Changes = { updated: number; inserted: number; unchanged: number }

/** A list of suppliers. The same count and seed give the same list, byte for byte. */
export function suppliers({ count, seed }: { count: number; seed: number }): Supplier[] {
  return Array.from({ length: count }, (_, index) => supplier(index + 1, seed))
}

/**
 * The list some days later: 8 % of the suppliers changed, new ones of 2 % came, and the rest is equal. A
 * tenth of that rest is written in another way (an amount as text, a time in another zone), which is no
 * change.
 */
export function changedSuppliers(before: Supplier[], seed: number): { list: Supplier[]; changes: Changes } {
  const draw = dice(seed, 0)
  const updated = Math.round(before.length * 0.08)
  const inserted = Math.round(before.length * 0.02)
  const chosen = new Set(shuffled(before.length, draw).slice(0, updated))
  const known = before.map((one, index) => {
    if (chosen.has(index)) return changed(one, draw)
    return draw.chance(0.1) ? respelled(one) : one
  })
  const added = Array.from({ length: inserted }, (_, index) => supplier(before.length + index + 1, seed))
  return { list: [...known, ...added], changes: { updated, inserted, unchanged: before.length - updated } }
}

/** A JSON array with a record a line, as exports are mostly written. */
export function toJson(list: Supplier[]): string {
  return `[\n${list.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`
}

if (import.meta.main) await main()

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: 'string', default: '12000' }, seed: { type: 'string', default: '1' } },
  })
  const [first, second] = positionals
  const count = Number(values.count)
  const seed = Number(values.seed)
  if (!first || !Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
    console.error('Usage: bun scripts/suppliers.ts LIST.json [CHANGED.json] [--count 12000] [--seed 1]')
    process.exit(2)
  }
  const list = suppliers({ count, seed })
  await Bun.write(first, toJson(list))
  console.log(`${first}: ${list.length} suppliers`)
  if (!second) return
  const after = changedSuppliers(list, seed)
  const { updated, inserted, unchanged } = after.changes
  await Bun.write(second, toJson(after.list))
  console.log(`${second}: ${updated} of them changed, ${inserted} new, ${unchanged} equal`)
}

function shuffled(length: number, draw: Dice): number[] {
  const list = Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = draw.below(last + 1)
    const moved = list[last]!
    list[last] = list[other]!
    list[other] = moved
  }
  return list
}
