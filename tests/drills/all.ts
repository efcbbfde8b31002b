import { apiFuzz } from './api-fuzz.ts'
import { authorisation } from './authorisation.ts'
import { bombs } from './bombs.ts'
import { commitCut } from './commit-cut.ts'
import { concurrency } from './concurrency.ts'
import { diskFull } from './disk-full.ts'
import type { Drill } from './drill.ts'
import { halfOpen } from './half-open.ts'
import { killStorm } from './kill-storm.ts'
import { millionJobs } from './million-jobs.ts'
import { mutation } from './mutation.ts'
import { namedPoints } from './named-points.ts'
import { natsAmnesia } from './nats-amnesia.ts'
import { natsDown } from './nats-down.ts'
import { natsPurge } from './nats-purge.ts'
import { overtaken } from './overtaken.ts'
import { postgresCrash } from './postgres-crash.ts'
import { secrets } from './secrets.ts'
import { sourceLies } from './source-lies.ts'
import { ssrf } from './ssrf.ts'

/** Every drill, in the order in which they run. */
export const DRILLS: Drill[] = [
  killStorm,
  namedPoints,
  overtaken,
  natsAmnesia,
  natsDown,
  natsPurge,
  postgresCrash,
  commitCut,
  diskFull,
  halfOpen,
  sourceLies,
  bombs,
  ssrf,
  secrets,
  authorisation,
  apiFuzz,
  concurrency,
  millionJobs,
  mutation,
]
