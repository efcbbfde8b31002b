import type { Drill } from './drill.ts'
import { killStorm } from './kill-storm.ts'
import { namedPoints } from './named-points.ts'

/** Every drill, in the order in which they run. */
export const DRILLS: Drill[] = [killStorm, namedPoints]
