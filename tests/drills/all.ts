import { apiFuzz } from './api-fuzz.ts'
import { authorisation } from './authorisation.ts'
import { concurrency } from './concurrency.ts'
import type { Drill } from './drill.ts'
import { millionJobs } from './million-jobs.ts'

/** Every drill, in the order in which they run. */
export const DRILLS: Drill[] = [concurrency, millionJobs, authorisation, apiFuzz]
