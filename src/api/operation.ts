import type { ErrorCode } from '../errors.ts'
import type { Scope } from '../key.ts'

/** The parts that the addresses are sorted into in the documentation. */
type Tag = 'Jobs' | 'Figuras' | 'Service'

/**
 * What an address says of itself beyond its schemas. `errors`: the codes that it can answer, besides
 * internal.
 */
type Operation = {
  /** Its name in generated clients. */
  id: string
  summary: string
  description?: string
  tag: Tag
  /**
   * What the caller needs: the scope for the figura of the address, or any key at all. Absent: the address is open to
   * everybody, which no address with a figura may be (see gate.ts).
   */
  scope?: Need
  errors?: ErrorCode[]
  /** Headers that a request may have, by name, with what they say. */
  takes?: Record<string, string>
  /** Headers of a good answer, by name, with what they say. */
  headers?: Record<string, string>
}

/** Where the documentation finds `errors`, `takes` and `headers`: Elysia has no place of its own for them. */
export const MORE = 'x-more'

export type Need = Scope | 'key'

export type More = {
  errors: ErrorCode[]
  takes: Record<string, string>
  headers: Record<string, string>
  scope: Need | undefined
}

/** An operation as Elysia's routes take it. */
export function says(operation: Operation) {
  const { id, summary, description, tag, scope, errors = [], takes = {}, headers = {} } = operation
  const more: More = { errors, takes, headers, scope }
  return { operationId: id, summary, description, tags: [tag], [MORE]: more }
}
