import { SENT_ERRORS, SENT_HEADERS, SENT_TAKES } from './bulk.ts'
import { says } from './operation.ts'

export const CANCEL = says({
  id: 'cancelJob',
  summary: 'Cancel a job',
  description:
    'Ends a job that waits or is at work, on whatever node: its table is as it was, and the next job of the figura ' +
    'has its turn. What a worker has begun of it stops within two seconds. A job whose rows are being committed can ' +
    'no longer be cancelled.',
  tag: 'Jobs',
  scope: 'cancel',
  errors: ['job_unknown', 'job_ended', 'job_committing', 'figura_unknown', 'unavailable'],
})

export const RETRY = says({
  id: 'retryJob',
  summary: 'Do a job again',
  description:
    'Makes a new job of one that ended as erro or cancelado, under the figura as it is now; `retry_of` of the new ' +
    'one tells which. A body is needed only where the file is to come from another address.',
  tag: 'Jobs',
  scope: 'submit',
  errors: [...SENT_ERRORS, 'job_unknown', 'job_not_ended', 'job_completed'],
  takes: SENT_TAKES,
  headers: SENT_HEADERS,
})

export const PAUSE = says({
  id: 'pauseFigura',
  summary: 'Pause a figura',
  description:
    'Its jobs are accepted as ever, and none is begun. Those that are at work go on to their end, and so does an ' +
    'earlier one that they wait for.',
  tag: 'Jobs',
  scope: 'operate',
  errors: ['figura_unknown', 'unavailable'],
})

export const RESUME = says({
  id: 'resumeFigura',
  summary: 'Resume a figura',
  description: 'Its jobs are begun again, in the order in which they were accepted.',
  tag: 'Jobs',
  scope: 'operate',
  errors: ['figura_unknown', 'unavailable'],
})
