import type { Drill } from './drill.ts'
import { secrets } from './secrets.ts'
import { sourceLies } from './source-lies.ts'
import { ssrf } from './ssrf.ts'

/** Every drill, in the order in which they run. */
export const DRILLS: Drill[] = [ssrf, sourceLies, secrets]
