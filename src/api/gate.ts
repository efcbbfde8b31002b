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
  let known: Map<string, Known> | undefined

  async function pass({ request, route, figura, headers }: Asked): Promise<Known> {
    known ??= new Map(routes.map((one) => [nameOf(one.method, one.path), knownOf(one)]))
    const name = nameOf(request.method, route)
    const found = known.get(name)
    if (!found) throw new Error(`${name} is no route whose scope is known`)
    if (found.need === undefined || passed.has(request)) return found
    const { caller, taken } = await callers(request.headers.get('authorization'))
    if (taken) {
      tellRate(headers, taken)
      requireRate(taken)
    }
    requireScope(caller, found.need, figura)
    passed.set(request, caller)
    return found
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
  const silent = routes.filter((route) => /:figura\b/.test(route.path) && knownOf(route).need === undefined)
  if (silent.length === 0) return
  throw new Error(`no scope is said of ${silent.map(({ method, path }) => `${method} ${path}`).join(', ')}`)
}

type Asked = { request: Request; route: string; figura: string | undefined; headers: Record<string, unknown> }

/** What a route says of itself. */
type Known = { need: Need | undefined; takesBody: boolean }

/**
 * Twice, since Elysia reads a body before it transforms, and a request without one has nothing to parse. A route that
 * takes no body is given an empty one: since there is a hook for parsing, Elysia would else read whatever is sent, as
 * much as it is.
 */
function hooks(pass: (asked: Asked) => Promise<Known>) {
  const figuraOf = (params: unknown) => (Object(params) as { figura?: string }).figura
  return new Elysia({ name: 'gate' })
    .onParse({ as: 'global' }, async ({ request, route, params, set }) => {
      const known = await pass({ request, route, figura: figuraOf(params), headers: set.headers })
      return known.takesBody ? undefined : {}
    })
    .onTransform({ as: 'global' }, async ({ request, route, params, set }) => {
      await pass({ request, route, figura: figuraOf(params), headers: set.headers })
    })
}

function knownOf({ hooks }: Route): Known {
  const detail: { [MORE]?: More } | undefined = hooks?.detail
  return { need: detail?.[MORE]?.scope, takesBody: Boolean(hooks?.body) }
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
