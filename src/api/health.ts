import { Elysia } from 'elysia'
import type { Log } from '../log.ts'
import { Alive, Ready } from './service-schemas.ts'
import { says } from './operation.ts'
import { createProblems, unavailable } from './problem.ts'
import type { Route } from './routes.ts'
import { SERVE } from './serve.ts'

/** Looks at what the node needs. Each check says 'ok', or in a few words what is wrong. */
export type Readiness = () => Promise<{ ready: boolean; checks: Record<string, string> }>

/** /livez and /readyz as an app of their own, for a node that only works. */
export function createHealth({ readiness, log }: { readiness: Readiness; log: Log }) {
  const routes: Route[] = []
  const app = new Elysia({ name: 'health-app', normalize: false, serve: SERVE })
    .use(createProblems({ log, routes }))
    .use(healthRoutes(readiness))
  routes.push(...app.routes)
  return app
}

/** /livez: the process is up. /readyz: it can do its work now; if not, 503 with the checks that failed. */
export function healthRoutes(readiness: Readiness) {
  return new Elysia({ name: 'health' })
    .get(
      '/livez',
      ({ set }) => {
        set.headers['cache-control'] = 'no-store'
        return { alive: true as const }
      },
      {
        response: { 200: Alive },
        detail: says({ id: 'livez', summary: 'Is the process up?', tag: 'Service' }),
      },
    )
    .get(
      '/readyz',
      async ({ set }) => {
        const checks = await requireReady(readiness)
        set.headers['cache-control'] = 'no-store'
        return { ready: true as const, checks }
      },
      {
        response: { 200: Ready },
        detail: says({
          id: 'readyz',
          summary: 'Can it do its work now?',
          description: 'If not, `checks` of the error says what is missing.',
          tag: 'Service',
          errors: ['unavailable'],
        }),
      },
    )
}

async function requireReady(readiness: Readiness): Promise<Record<string, string>> {
  const { ready, checks } = await readiness()
  if (ready) return checks
  const failed = Object.entries(checks).filter(([, state]) => state !== 'ok')
  throw unavailable(failed.map(([name, state]) => `${name}: ${state}`).join('; ') || 'that it is not ready', {
    checks,
  })
}
