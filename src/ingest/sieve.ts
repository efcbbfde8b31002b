/** Hashes of 64 bits, each as two words: the low one, then the high one. */
export type Hashes = Uint32Array<ArrayBuffer>

/** Slots of a sieve for each hash: of 64 hashes, one meets another's slot by chance. */
const SLOTS_PER_HASH = 64

/** 2^27 bits are 16 MiB, and a sieve has two such maps. Of 24 million hashes in it, 4 million pass. */
const SLOT_BITS_MAX = 27

/** Hashes that one sieve takes, and those that are kept at once, in 8 bytes each. */
export const SIEVE_HASHES = 24_000_000
export const KEPT_HASHES = 4_000_000

/** Tells most hashes that surely came once from those that may have come twice, in two bits for each slot. */
export type Sieve = {
  /** Counts hashes, each in the slot that its low word chooses. */
  add(hashes: Hashes): void
  /** Those of the hashes whose slot was counted more than once. */
  pass(hashes: Hashes): Hashes
}

/**
 * A sieve for about so many hashes; more of them only let more pass. Of the hashes that it is given, it looks at one of
 * `parts` parts, which the high word chooses.
 */
export function createSieve(hashes: number, { part, parts }: { part: number; parts: number }): Sieve {
  const bits = Math.min(SLOT_BITS_MAX, Math.max(10, Math.ceil(Math.log2(hashes * SLOTS_PER_HASH + 1))))
  const mask = 2 ** bits - 1
  const once = new Uint32Array(2 ** (bits - 5))
  const twice = new Uint32Array(2 ** (bits - 5))

  function add(words: Hashes): void {
    for (let at = 0; at < words.length; at += 2) {
      if (parts > 1 && words[at + 1]! % parts !== part) continue
      const word = (words[at]! & mask) >>> 5
      const bit = 1 << (words[at]! & 31)
      const counted = once[word]!
      if (counted & bit) twice[word] = twice[word]! | bit
      else once[word] = counted | bit
    }
  }
  function pass(words: Hashes): Hashes {
    const passed = new Uint32Array(words.length)
    let length = 0
    for (let at = 0; at < words.length; at += 2) {
      if (parts > 1 && words[at + 1]! % parts !== part) continue
      if ((twice[(words[at]! & mask) >>> 5]! & (1 << (words[at]! & 31))) === 0) continue
      passed[length++] = words[at]!
      passed[length++] = words[at + 1]!
    }
    return passed.slice(0, length)
  }
  return { add, pass }
}

/** The hashes that stand in the lists more than once; no more than `max` of them are looked for. */
export function repeatedHashes(lists: Hashes[], max: number): bigint[] {
  const all = new Uint32Array(lists.reduce((sum, list) => sum + list.length, 0))
  let length = 0
  for (const list of lists) {
    all.set(list, length)
    length += list.length
  }
  const sorted = new BigUint64Array(all.buffer).sort()
  const repeated = new Set<bigint>()
  for (let at = 1; at < sorted.length && repeated.size < max; at++)
    if (sorted[at] === sorted[at - 1]) repeated.add(sorted[at]!)
  return [...repeated]
}
