import { Elysia } from 'elysia'
import type { Figuras } from '../figura/load.ts'
import { type AcceptDependencies, acceptJob } from './accept.ts'
import { createBulk } from './bulk.ts'
import { createDocs } from './docs.ts'
import type { Callers } from './callers.ts'
import { createFiguras } from './figuras.ts'
import { createGate, requireScopes } from './gate.ts'
import { healthRoutes, type Readiness } from './health.ts'
import { createLife, type LifeDependencies } from './life.ts'
import { createProblems } from './problem.ts'
import { createRejects } from './rejects.ts'
import type { Route } from './routes.ts'
import { SERVE } from './serve.ts'

/**
 * The whole HTTP API as one Elysia app; `.listen({ hostname, port })` serves it, `.handle(request)` answers
 * in process. It reads and writes job rows alone: the queue is told of a new job through `accepted`.
 */
export function createApp({
  readiness,
  rejectsDays,
  figuras,
  callers,
  ...dependencies
}: AcceptDependencies &
  Omit<LifeDependencies, 'callerOf' | 'accept'> & {
    figuras: Figuras
    /** Finds out who asks. */
    callers: Callers
    readiness: Readiness
    /** How long rows that were left out are kept. */
    rejectsDays: number
  }) {
  const { sql, log } = dependencies
  const routes: Route[] = []
  const gate = createGate({ callers, figuras, routes })
  const callerOf = gate.caller
  const accept = acceptJob(dependencies)
  // normalize would silently drop unknown fields of a body, and copy every answer
  const app = new Elysia({ name: 'api', normalize: false, serve: SERVE })
    .use(createProblems({ log, routes }))
    .use(gate.plugin)
    .use(createBulk({ ...dependencies, accept, callerOf }))
    .use(createLife({ ...dependencies, accept, callerOf }))
    .use(createRejects({ sql, callerOf, rejectsDays }))
    .use(createFiguras(sql, callerOf))
    .use(healthRoutes(readiness))
    .use(createDocs(gate.guest))
  routes.push(...app.routes)
  requireScopes(routes)
  return app
}
