import { Elysia } from 'elysia'
import { BulkError } from '../errors.ts'
import type { Figuras } from '../figura/load.ts'
import { type Caller, type CallerOf, stranger } from './caller.ts'
import { type Callers, requireRate } from './callers.ts'
import { figuraUnknown } from './find-figura.ts'
import { MORE, type More, type Need } from './operation.ts'
import type { Taken } from './rate.ts'
import type { Route } from './routes.ts'

export type Gate = {
  /** The hooks that every request of the app goes through. */
  plugin: ReturnType<typeof hooks>
  caller: CallerOf
  /** The same for an address that is open to everybody: a stranger where no valid key was shown. */
  guest(request: Request): Promise<Caller>
}

/**
 * Lets a request through to its route only if its caller may do what the route says that it does. It stands before
 * the body is read, and goes by the route that Elysia itself has found: a path that is spelled in an odd way cannot
 * be one thing here and another there. `routes` are those of the whole app; it is read when a request comes.
 */
export function createGate(dependencies: { callers: Callers; figuras: Figuras; routes: Route[] }): Gate {
  const { callers, figuras, routes } = dependencies
  const passed = new WeakMap<Request, Caller>()
  let needs: Map<string, Need | undefined> | undefined

  async function pass({ request, route, figura, headers }: Asked): Promise<void> {
    needs ??= new Map(routes.map((one) => [nameOf(one.method, one.path), needOf(one)]))
    const name = nameOf(request.method, route)
    if (!needs.has(name)) throw new Error(`${name} is no route whose scope is known`)
    const need = needs.get(name)
    if (need === undefined || passed.has(request)) return
    const { caller, taken } = await callers(request.headers.get('authorization'))
    if (taken) {
      tellRate(headers, taken)
      requireRate(taken)
    }
    requireScope(caller, need, figura)
    passed.set(request, caller)
  }

  return {
    plugin: hooks(pass),
    caller: (request) => {
      const caller = passed.get(request)
      if (!caller) throw new Error('a route that asks for its caller says no scope')
      return caller
    },
    guest: (request) =>
      callers(request.headers.get('authorization')).then(
        ({ caller }) => caller,
        () => stranger(figuras),
      ),
  }
}

/**
 * Every address with a figura says what its caller needs.
 * @throws Error that names those that do not
 */
export function requireScopes(routes: Route[]): void {
  const silent = routes.filter((route) => /:figura\b/.test(route.path) && needOf(route) === undefined)
  if (silent.length === 0) return
  throw new Error(`no scope is said of ${silent.map(({ method, path }) => `${method} ${path}`).join(', ')}`)
}

type Asked = { request: Request; route: string; figura: string | undefined; headers: Record<string, unknown> }

/** Twice, since Elysia reads a body before it transforms, and a request without one has nothing to parse. */
function hooks(pass: (asked: Asked) => Promise<void>) {
  const figuraOf = (params: unknown) => (Object(params) as { figura?: string }).figura
  return new Elysia({ name: 'gate' })
    .onParse({ as: 'global' }, async ({ request, route, params, set }) => {
      await pass({ request, route, figura: figuraOf(params), headers: set.headers })
    })
    .onTransform({ as: 'global' }, ({ request, route, params, set }) =>
      pass({ request, route, figura: figuraOf(params), headers: set.headers }),
    )
}

function needOf({ hooks }: Route): Need | undefined {
  const detail: { [MORE]?: More } | undefined = hooks?.detail
  return detail?.[MORE]?.scope
}

function nameOf(method: string, path: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${path}`
}

/** A figura with which the caller may do nothing is unknown to it, whether there is one or not. */
function requireScope(caller: Caller, need: Need, figura = ''): void {
  if (need === 'key') return
  if (!caller.knows(figura)) throw figuraUnknown(caller.figuras, figura)
  if (caller.allows(need, figura)) return
  const said = { subject: `The key for the figura ${figura}`, found: 'no such scope', expected: need }
  throw new BulkError('scope_missing', said, { scope: need })
}

/** The older three of the IETF's draft, which clients know. */
function tellRate(headers: Record<string, unknown>, { limit, left, fullSeconds }: Taken): void {
  headers['ratelimit-limit'] = String(limit)
  headers['ratelimit-remaining'] = String(left)
  headers['ratelimit-reset'] = String(fullSeconds)
}
