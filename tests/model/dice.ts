import type { Contract, FileRow, Optional, Sent } from './model.ts'
import { MODES } from '../../src/figura/types.ts'

/** Numbers of a seed: the same ones each time (mulberry32). */
export type Dice = {
  below(limit: number): number
  chance(share: number): boolean
  one<T>(list: readonly T[]): T
}

export function throwDice(seed: number): Dice {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { below, chance: (share) => next() < share, one: (list) => list[below(list.length)]! }
}

/** A contract such as a figura may have. */
export function drawContract(dice: Dice): Contract {
  const version = dice.chance(0.5)
  return {
    version,
    duplicates: dice.one(version ? ['refuse', 'first', 'last', 'newest'] : ['refuse', 'first', 'last']),
    marker: dice.one(['none', 'none', 'hard', 'soft']),
    rejects: dice.one(['none', 'two', 'any']),
    nameRequired: dice.chance(0.3),
    createdOnlyInsert: dice.chance(0.5),
    nameMissing: dice.one(['keep', 'fill']),
    scope: dice.chance(0.4),
    maxDeletePercent: dice.one([100, 100, 50, 20]),
  }
}

/** What may be sent under a contract: seldom more wrong with it than it can bear. */
export function drawSent(dice: Dice, contract: Contract): Sent {
  const mode = dice.one([...MODES, 'merge', 'merge', 'merge', 'replace'] as const)
  const faults = contract.rejects === 'none' ? 0.01 : 0.08
  const repeats = contract.duplicates !== 'refuse'
  const rows: FileRow[] = []
  const ids = Array.from({ length: 12 }, (_, no) => no)
  for (let count = dice.below(10); count > 0; count--) {
    const [id = 0] = repeats || dice.chance(0.01) ? [dice.below(12)] : ids.splice(dice.below(ids.length), 1)
    const row = drawRow(dice, { id, faults, contract })
    rows.push(mode === 'append' ? appended(dice, row) : row)
  }
  const optional: Optional[] = ['grupo', 'nome', 'n', 'versao', 'criado']
  const lacks = optional.filter(
    (name) =>
      dice.chance(0.12) &&
      !(name === 'grupo' && contract.scope) &&
      !(name === 'nome' && contract.nameRequired),
  )
  return { mode, rows, lacks }
}

/** Most rows that are appended have keys that the table does not have. */
function appended(dice: Dice, row: FileRow): FileRow {
  const id = row.id === null || dice.chance(0.03) ? row.id : 1000 + dice.below(1e6)
  return { ...row, id }
}

function drawRow(
  dice: Dice,
  { id, faults, contract }: { id: number; faults: number; contract: Contract },
): FileRow {
  return {
    id: dice.chance(faults / 3) ? null : id,
    grupo: dice.chance(0.1) ? null : dice.below(3),
    nome: dice.chance(contract.nameRequired ? faults : 0.1)
      ? null
      : dice.one(['ana', 'bia', 'caio', "d'á 🙂"]),
    n: dice.chance(faults) ? -1 : dice.chance(0.1) ? null : dice.below(3),
    versao: dice.chance(0.1) ? null : dice.below(5),
    criado: dice.chance(0.1) ? null : dice.one(['x', 'y']),
    excluido: dice.chance(0.1) ? null : dice.chance(0.25),
  }
}
