import { RESERVED_NAMES } from '../figura/load.ts'

/** A route as Elysia lists it: `path` has segments such as `:figura`; what says() has made is among its hooks. */
export type Route = { method: string; path: string; hooks?: { detail?: object; body?: unknown } }

/** The methods that an address takes, sorted; none when there is no such address. */
export function allowedMethods(routes: Route[], path: string): string[] {
  const methods = new Set(routes.filter((route) => fits(route.path, path)).map((route) => route.method))
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods].sort()
}

/**
 * The path of a request. The host before it is what the caller has written: with none at all, or "[" for one, what Bun
 * gives is no address.
 */
export function pathOf({ url }: Request): string {
  return URL.parse(`http://localhost${url.replace(/^https?:\/\/[^/?#]*/i, '')}`)?.pathname ?? '/'
}

function fits(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const given = path.replace(/(?<=.)\/$/, '').split('/')
  if (wanted.length !== given.length) return false
  return wanted.every((segment, index) => {
    if (!segment.startsWith(':')) return segment === given[index]
    // the first segment is a figura, and no figura has a name of these
    return given[index] !== '' && !(index === 1 && RESERVED_NAMES.includes(given[index] ?? ''))
  })
}
