import { bombs } from './bombs.ts'
import { commitCut } from './commit-cut.ts'
import type { Drill } from './drill.ts'
import { killStorm } from './kill-storm.ts'
import { namedPoints } from './named-points.ts'
import { natsAmnesia } from './nats-amnesia.ts'
import { natsDown } from './nats-down.ts'
import { postgresCrash } from './postgres-crash.ts'

/** Every drill, in the order in which they run. */
export const DRILLS: Drill[] = [
  killStorm,
  namedPoints,
  natsAmnesia,
  natsDown,
  commitCut,
  postgresCrash,
  bombs,
]
