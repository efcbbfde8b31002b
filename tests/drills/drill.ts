/** What a checker counts. All four have to be zero. */
export type Tally = {
  /** Accepted, and not ended when everything is quiet again; or an effect that its ended job does not have. */
  lost: number
  /** Effects that happened more than once. */
  duplicated: number
  /** Effects, answers or ends that must not be. */
  unexpected: number
  /** What is left behind: stages, prepared transactions, files, locks, processes; or a secret that was shown. */
  leaked: number
}

/**
 * How a drill is run. `say` shows a line about what was found, for whoever has to look; `only`: in drills whose cases
 * have names, those with this text.
 */
export type Trial = { seed: number; runs: number; say: (line: string) => void; only?: string | undefined }

/** A drill injects faults, and counts what they did. It ends what it has started, whatever happens. */
export type Drill = {
  name: string
  /** One sentence: what is injected, and what has to hold. */
  about: string
  /** How many faults (or tries) the run with all tests has, and the whole one. */
  runs: { small: number; full: number }
  run(trial: Trial): Promise<Tally>
}

/** A tally with nothing in it. */
export function clean(): Tally {
  return { lost: 0, duplicated: 0, unexpected: 0, leaked: 0 }
}

/** The line that a drill ends with. */
export function lineOf(drill: Drill, { seed, runs }: { seed: number; runs: number }, tally: Tally): string {
  const counts = (['lost', 'duplicated', 'unexpected', 'leaked'] as const).map(
    (part) => `${part}=${tally[part]}`,
  )
  return ['drill', drill.name, `seed=${seed}`, `runs=${runs}`, ...counts].join(' ')
}

/** Whether anything was counted. */
export function isClean({ lost, duplicated, unexpected, leaked }: Tally): boolean {
  return lost + duplicated + unexpected + leaked === 0
}
