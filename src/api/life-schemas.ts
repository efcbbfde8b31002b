import { type Static, t } from 'elysia'
import { answer, CREATED, FiguraName, nullable } from './schema-parts.ts'
import { Submission } from './schemas.ts'

/** What is sent and answered where a job's life is changed. See schema-parts.ts. */

const { url, urls, sha256 } = Submission.properties

export const Retry = t.Object(
  { url, urls, sha256 },
  {
    title: 'Retry',
    description: 'The file by another address, where the first is of no more use; absent: as the job had it.',
    additionalProperties: false,
    'x-expected': 'nothing, or an object such as {"url": "s3://bucket/key"}',
  },
)
export type Retry = Static<typeof Retry>

export const Paused = t.Object(
  {
    at: t.String({ 'x-format': 'date-time', description: 'Since when.', examples: [CREATED] }),
    by: t.String({ description: 'Who asked for it.', examples: ['operacao'] }),
  },
  { description: 'No job of the figura is begun; else null.' },
)

export const PauseState = answer(
  { figura: FiguraName, paused: nullable(Paused) },
  { title: 'PauseState', description: 'Whether the jobs of a figura are held back.' },
)
export type PauseState = Static<typeof PauseState>
