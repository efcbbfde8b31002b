import { Elysia } from 'elysia'
import { createBulk } from './bulk.ts'
import { createDocs } from './docs.ts'
import { createFiguras } from './figuras.ts'
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
  ...dependencies
}: LifeDependencies & {
  readiness: Readiness
  /** How long rows that were left out are kept. */
  rejectsDays: number
}) {
  const { sql, figuras } = dependencies
  const routes: Route[] = []
  // normalize would silently drop unknown fields of a body, and copy every answer
  const app = new Elysia({ name: 'api', normalize: false, serve: SERVE })
    .use(createProblems({ log: dependencies.log, routes }))
    .use(createBulk(dependencies))
    .use(createLife(dependencies))
    .use(createRejects({ sql, figuras, rejectsDays }))
    .use(createFiguras({ sql, figuras }))
    .use(healthRoutes(readiness))
    .use(createDocs(figuras))
  routes.push(...app.routes)
  return app
}
