import { closestMatch } from 'leven'

/** More than this many letters apart is another word, not a slip of the hand. */
const SLIPS = 3

/** The candidate that somebody who wrote `word` most likely meant, or undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // a short word may not be wrong in every letter: "uf" is no slip of "id", and "kye" is one of "key"
  return closestMatch(word, candidates, { maxDistance: Math.min(SLIPS, Math.ceil(word.length / 2)) })
}
