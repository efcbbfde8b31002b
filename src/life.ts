import type { Status } from './job.ts'

/**
 * Where a job stands: its status, and while a worker has it its phase. `decided`: the parts of its merge are to be
 * committed, so that it can only end well.
 */
export const STATES = [
  'enfileirado',
  'plan',
  'stage',
  'wait',
  'merge',
  'decided',
  'completo',
  'erro',
  'cancelado',
] as const
export type State = (typeof STATES)[number]

/**
 * What can become of a job, by the state that it is in: all changes that there are. Every statement that moves a job
 * is held against this table by the tests, and those that end a job from outside ask it for their condition.
 */
export const LIFE = {
  enfileirado: { claim: 'plan', cancel: 'cancelado' },
  plan: { staging: 'stage', loading: 'merge', complete: 'completo', ...endings() },
  stage: { turn: 'wait', merging: 'merge', lost: 'plan', ...endings() },
  wait: { merging: 'merge', lost: 'plan', ...endings() },
  // a file that its table does not take at once (`loading`) is staged after all
  merge: {
    staging: 'stage',
    turn: 'wait',
    decide: 'decided',
    complete: 'completo',
    lost: 'plan',
    ...endings(),
  },
  decided: { complete: 'completo', reopen: 'merge' },
  completo: {},
  erro: {},
  cancelado: {},
} as const satisfies Record<State, Partial<Record<Change, State>>>

/** What happens to a job. */
export type Change =
  | 'claim'
  | 'staging'
  | 'loading'
  | 'turn'
  | 'merging'
  | 'lost'
  | 'decide'
  | 'reopen'
  | 'complete'
  | 'fail'
  | 'cancel'

/** How a job that is at work can be ended, as long as nothing of it is decided. */
function endings() {
  return { fail: 'erro', cancel: 'cancelado' } as const
}

/** The states in which something may happen to a job. */
export function statesThatMay(change: Change): State[] {
  return STATES.filter((state) => change in LIFE[state])
}

/** Whether a job that was in one state may be found in another after a single change. */
export function mayBecome(from: State, to: State): boolean {
  return Object.values<State>(LIFE[from]).includes(to)
}

/** Whether nothing can happen to a job any more. */
export function isEnded(status: Status): boolean {
  return status !== 'processando' && Object.keys(LIFE[status]).length === 0
}

/** All changes as a Mermaid diagram. */
export function lifeDiagram(): string {
  const lines = STATES.flatMap((from) =>
    Object.entries(LIFE[from]).map(([change, to]) => `  ${from} --> ${to}: ${change}`),
  )
  const ends = STATES.filter((state) => Object.keys(LIFE[state]).length === 0)
  return [
    'stateDiagram-v2',
    '  [*] --> enfileirado: PUT, retry',
    ...lines,
    ...ends.map((end) => `  ${end} --> [*]`),
  ].join('\n')
}
