import { Type } from '@sinclair/typebox'
import { type Static, t } from 'elysia'
import { answer, oneOf } from './schema-parts.ts'

/** What the API says about its errors and its health. See schema-parts.ts. */

export const ProblemParams = t.Object({
  code: t.String({ description: 'The code of an error.', examples: ['source_refused'] }),
})

export const ProblemCode = answer(
  {
    code: t.String({ description: 'The stable name of the error.', examples: ['source_refused'] }),
    type: t.String({ description: 'Its address.', examples: ['/problems/source_refused'] }),
    title: t.String({ description: 'What it means.', examples: ['The source is not allowed'] }),
    status: Type.Integer({ description: 'The HTTP status that it is answered with.', examples: [422] }),
    retry: oneOf(['never', 'later'], {
      description: 'never: the same request fails again. later: it may succeed.',
      examples: ['never'],
    }),
    action: t.String({
      description: 'What to do.',
      examples: ['Use a source of the figura, or have one added to it.'],
    }),
  },
  { title: 'ProblemCode', description: 'An error code, explained.' },
)
export type ProblemCode = Static<typeof ProblemCode>

export const Alive = answer(
  { alive: t.Literal(true, { description: 'The process is up and answers.' }) },
  { title: 'Alive', description: 'The process is up.' },
)

export const Ready = answer(
  {
    ready: t.Literal(true, { description: 'Requests can be served.' }),
    checks: t.Record(t.String(), t.String(), {
      description: 'What was looked at, and how it was found.',
      examples: [{ postgres: 'ok', nats: 'ok' }],
    }),
  },
  { title: 'Ready', description: 'All that the node needs is there.' },
)
export type Ready = Static<typeof Ready>
