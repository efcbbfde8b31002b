import type { Figuras } from '../figura/load.ts'
import type { Grants, Scope } from '../key.ts'

/** Who asks, and what it may do. */
export type Caller = {
  /** The id of its key; empty where the service asks for none. */
  id: string
  name: string
  /** Whether it may do anything with the figura: else that one must seem not to exist. */
  knows(figura: string): boolean
  allows(scope: Scope, figura: string): boolean
  /** The figuras that it knows. Others are never told of, not even as the nearest name. */
  figuras: Figuras
}

/** Who sent a request, which has come through the gate. */
export type CallerOf = (request: Request) => Caller

/** A caller of a service that asks for no keys: it may do everything. */
export function anonymous(figuras: Figuras): Caller {
  return { id: '', name: 'anonymous', knows: () => true, allows: () => true, figuras }
}

/** A caller with a key. */
export function callerOf(
  { id, name, grants }: { id: string; name: string; grants: Grants },
  figuras: Figuras,
): Caller {
  const everywhere = grants['*'] ?? []
  const own = (figura: string) => (Object.hasOwn(grants, figura) ? (grants[figura] ?? []) : [])
  const knows = (figura: string) => everywhere.length > 0 || own(figura).length > 0
  return {
    id,
    name,
    knows,
    allows: (scope, figura) => everywhere.includes(scope) || own(figura).includes(scope),
    figuras: knownFiguras(figuras, knows),
  }
}

/** A caller who has shown no key: of the figuras it knows none. */
export function stranger(figuras: Figuras): Caller {
  return callerOf({ id: '', name: 'stranger', grants: {} }, figuras)
}

function knownFiguras(figuras: Figuras, knows: Caller['knows']): Figuras {
  return {
    get: (name) => (knows(name) ? figuras.get(name) : undefined),
    list: () => figuras.list().filter(({ name }) => knows(name)),
  }
}
