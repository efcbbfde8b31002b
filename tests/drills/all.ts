import { apiFuzz } from './api-fuzz.ts'
import { authorisation } from './authorisation.ts'
import type { Drill } from './drill.ts'

/** Every drill, in the order in which they run. */
export const DRILLS: Drill[] = [authorisation, apiFuzz]
