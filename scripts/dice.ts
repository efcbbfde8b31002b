export type Dice = {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number
  chance(share: number): boolean
  one<T>(list: readonly T[]): T
  /** The value in `share` of the cases, else null. */
  maybe<T>(share: number, value: () => T): T | null
}

/** Random numbers that are always the same for a seed and a stream: the generator mulberry32. */
export function dice(seed: number, stream: number): Dice {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  const chance = (share: number) => next() < share
  return {
    below,
    chance,
    one: (list) => list[below(list.length)]!,
    maybe: (share, value) => (chance(share) ? value() : null),
  }
}
