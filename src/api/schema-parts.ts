import { type TProperties, Type } from '@sinclair/typebox'
import { type TSchema, t } from 'elysia'

/**
 * What crosses the HTTP border, written once: requests are checked by it, answers are typed by it, and the
 * documentation is made of it. A schema with a `title` becomes a named schema there; `x-expected` is how a
 * wrong field is explained.
 *
 * `x-format` is documented as `format`, and not checked: importing @elysiajs/openapi makes every check of a
 * format build a Zod schema first (a fifth of the time of a PUT).
 */

export const JOB_ID = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10'
export const CREATED = '2026-03-02T12:00:00.000Z'

export const FiguraName = t.String({ description: 'The name of the figura.', examples: ['fornecedores'] })

export const FiguraParams = t.Object({ figura: FiguraName })

export const JobParams = t.Object({
  figura: FiguraName,
  id: t.String({ description: 'The id that the PUT answered.', examples: [JOB_ID] }),
})

export const JobId = t.String({
  'x-format': 'uuid',
  description: 'A UUID of version 7: ids sort by time.',
  examples: [JOB_ID],
})

/**
 * RFC 9457. `code` is open here, so that a job that ended under another version of the service can still be
 * shown.
 */
export const ProblemDetails = t.Object(
  {
    type: t.String({
      description: 'Address that explains the code.',
      examples: ['/problems/source_refused'],
    }),
    title: t.String({ description: 'The code in words.', examples: ['The source is not allowed'] }),
    status: t.Number({ description: 'The HTTP status.', examples: [422] }),
    code: t.String({ description: 'The stable name of the error.', examples: ['source_refused'] }),
    detail: t.String({ description: 'What was found, what was expected, and what to do.' }),
    instance: t.Optional(
      t.String({ description: 'The path that was asked.', examples: ['/fornecedores/_bulk'] }),
    ),
  },
  {
    title: 'Problem',
    description:
      'Problem details (RFC 9457). Further fields, such as `errors` or `differences`, depend on the code.',
    additionalProperties: true,
  },
)

/** What is answered. Open, since a field that a later version adds must break nobody. */
export function answer<P extends TProperties>(
  properties: P,
  options: { title: string; description: string },
) {
  return t.Object(properties, { ...options, additionalProperties: true })
}

/** The schema, or null: for what is not known (yet), so that every field is always there. */
export function nullable<T extends TSchema>(schema: T) {
  return t.Union([schema, t.Null()])
}

/** One of some words. Elysia's own would fill in the first of them where the field is missing. */
export function oneOf<const Words extends readonly [string, ...string[]]>(
  words: Words,
  options: Record<string, unknown>,
) {
  const schema = t.UnionEnum(words, options)
  // not undefined either: any preset makes Elysia copy the body, and a field `__proto__` is lost on the way
  delete schema.default
  return schema
}

/** A number of things, or null while it is not known. */
export function count(description: string, examples: number[]) {
  return nullable(Type.Integer({ minimum: 0, description, examples }))
}

/** A moment, or null while it has not come. */
export function time(description: string) {
  return nullable(t.String({ 'x-format': 'date-time', description, examples: [CREATED] }))
}
