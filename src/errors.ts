/**
 * What is to be done about an error.
 * - never: the fault of the data or the request; it would only come again.
 * - source: the source's; tried again with a growing back-off, for as long as SOURCE_PATIENCE_SECONDS says.
 * - later: ours, or a passing one; tried again, at most ATTEMPTS times.
 * - capacity: there is no room now; the job waits for it, and that costs no attempt.
 */
export type Retry = 'never' | 'source' | 'later' | 'capacity'

/** Every error that a person can meet: its HTTP status, whether the work is tried again, and what to do about it. */
export const ERRORS = {
  body_not_json: e(
    400,
    'never',
    'The body is not JSON',
    'Send a JSON object such as {"url": "s3://bucket/key"}.',
  ),
  body_invalid: e(
    422,
    'never',
    'A field of the body is wrong',
    'Mend the named field and send the request again.',
  ),
  query_invalid: e(
    422,
    'never',
    'A query parameter is wrong',
    'Mend the named parameter and send the request again.',
  ),
  figura_unknown: e(404, 'never', 'No such figura', 'GET /figuras lists the figuras that are served.'),
  figura_broken: e(
    409,
    'never',
    'The figura file has errors',
    'Its owner mends the file; it is read again at once.',
  ),
  job_unknown: e(404, 'never', 'No such job', 'Use the status_url that the PUT answered.'),
  job_ended: e(409, 'never', 'The job has ended', 'Nothing is to be done; its status says how it ended.'),
  job_committing: e(409, 'later', 'The job is being committed', 'Ask for its status.'),
  job_not_ended: e(409, 'later', 'The job has not ended', 'Wait for its end, or cancel it first.'),
  job_completed: e(409, 'never', 'The job has completed', 'Send the file anew to load it again.'),
  route_unknown: e(404, 'never', 'No such address', 'GET /docs describes every address.'),
  method_refused: e(
    405,
    'never',
    'The address does not take this method',
    'Use a method that the header Allow lists.',
  ),
  mode_refused: e(
    422,
    'never',
    'The figura does not allow this mode',
    'Send a mode that `allow` lists, or leave it out.',
  ),
  body_too_large: e(
    413,
    'never',
    'The body is too large',
    'Send addresses, never the file itself; of many files a prefix with a *, or have BODY_MAX_KB raised.',
  ),
  idempotency_key_invalid: e(
    422,
    'never',
    'The key of the request is wrong',
    'Send a UUID, or a name that no other request has.',
  ),
  idempotency_key_reused: e(
    422,
    'never',
    'The key belongs to another request',
    'Send a new key with what is new, and the old one only with the very same body.',
  ),
  body_slow: e(408, 'later', 'The body comes too slowly', 'Send the whole body at once.'),
  key_refused: e(
    401,
    'never',
    'No valid API key',
    'Send the key that the administrator of the service has made.',
  ),
  scope_missing: e(
    403,
    'never',
    'The key may not do this',
    'Have the administrator make a key with the scope.',
  ),
  rate_limited: e(
    429,
    'later',
    'Too many requests',
    'Wait as many seconds as Retry-After says, then send it again.',
  ),
  queue_full: e(429, 'later', 'Too many jobs wait', 'Send the file again when earlier jobs have ended.'),
  unavailable: e(
    503,
    'later',
    'The service cannot answer now',
    'Send it again later; a file sent twice has the effect of one.',
  ),
  internal: e(500, 'later', 'The service failed', 'The operators find the cause in the log of the service.'),

  source_refused: e(
    422,
    'never',
    'The source is not allowed',
    'Use a source of the figura, or have one added to it.',
  ),
  source_empty: e(
    422,
    'never',
    'No file was found under the address',
    'Upload the files first, or mend the pattern of the address.',
  ),
  source_missing: e(
    404,
    'never',
    'The file is not there',
    'Upload the file first, then send its address again.',
  ),
  source_denied: e(
    403,
    'never',
    'The source refuses access',
    'Give the service the right to read it, or renew the presigned URL.',
  ),
  source_changed: e(
    409,
    'never',
    'The file changed while it was read',
    'Send each export under a new name, then send the job again.',
  ),
  source_unreachable: e(
    502,
    'source',
    'The source does not answer',
    'It is tried again; if that goes on, look at the source.',
  ),
  source_truncated: e(
    502,
    'source',
    'The source sent fewer bytes than it promised',
    'It is tried again; if that goes on, upload the file anew.',
  ),
  secret_unreadable: e(
    503,
    'later',
    'The secret part of the address cannot be read',
    'Give every node the same SECRET_KEY; then send the job again.',
  ),
  sha256_differs: e(
    422,
    'never',
    'The file is not the one that was announced',
    'Upload the file anew, or send the SHA-256 that it has.',
  ),
  file_too_large: e(422, 'never', 'The file is too large', 'Split the export into several files.'),
  file_not_parquet: e(422, 'never', 'The file is not parquet', 'Send an Apache Parquet file.'),
  file_not_known: e(
    422,
    'never',
    'The file is of no known format',
    'Send parquet, Avro, CSV or NDJSON; the last two may be packed by gzip or zstd.',
  ),
  file_corrupt: e(422, 'never', 'The file is damaged', 'Write and upload the file anew.'),

  schema_differs: e(
    422,
    'never',
    'The file does not fit the figura',
    'Mend the columns that `differences` lists.',
  ),
  target_differs: e(
    409,
    'never',
    'The table does not fit the figura',
    'Alter the table or the figura as `differences` says.',
  ),
  key_null: e(422, 'never', 'A key is null', 'Give every row a key.'),
  key_repeated: e(422, 'never', 'A key is repeated in the file', 'Send each key once.'),
  required_null: e(422, 'never', 'A required value is null', 'Give every row a value for the column.'),
  value_refused: e(
    422,
    'never',
    'A value does not fit its column',
    'Mend the value in the named row and column.',
  ),
  table_refused: e(
    409,
    'never',
    'The table refuses the rows',
    'Mend the rows, or the constraint or trigger of the table.',
  ),

  expression_wrong: e(
    409,
    'never',
    'An expression of the figura is wrong',
    'The owner of the figura mends it; then send the job again.',
  ),
  too_many_rejected: e(
    422,
    'never',
    'Too many rows break a rule',
    'Mend the rows that `rejects` of the job lists, or have the limit of the figura raised.',
  ),

  stage_lost: e(503, 'later', 'The stage was lost', 'Nothing is to be done: the file is read again.'),
  attempts_exhausted: e(
    500,
    'never',
    'Too many attempts failed',
    'Read the log of the job for each attempt, then send it again.',
  ),
  deadline_exceeded: e(
    504,
    'never',
    'The job took too long',
    'Send smaller files, or have limits.max_duration of the figura raised.',
  ),

  too_many_deleted: e(
    409,
    'never',
    'The file would delete too many rows',
    'Send the whole export, or raise max_delete_percent in the figura.',
  ),
  statistics_differ: e(
    500,
    'later',
    'The numbers of a load do not add up',
    'Nothing is committed, and it is tried again; if that goes on, tell the operators.',
  ),
} as const

export type ErrorCode = keyof typeof ERRORS

/** One line of a list of differences between what is and what should be; `fix` is what would make it fit. */
export type Difference = { column: string; found: string; expected: string; fix: string }

/** RFC 9457 problem details, as answered over HTTP and as kept in the job row. */
export type Problem = {
  type: string
  title: string
  status: number
  code: ErrorCode
  detail: string
  [extra: string]: unknown
}

/** The parts of an error's sentence. */
export type Said = { subject: string; found: string; expected: string; action?: string }

/**
 * An error with a code of the table above. Its sentence always has the same shape: subject, found, expected, what
 * to do. `extra` goes into the problem as further fields (never a secret).
 */
export class BulkError extends Error {
  readonly code: ErrorCode
  readonly said: Said
  /** The sentence without what to do. */
  readonly finding: string
  readonly extra: Record<string, unknown>

  constructor(code: ErrorCode, said: Said, extra: Record<string, unknown> = {}, options?: ErrorOptions) {
    const action = said.action ?? ERRORS[code].action
    const finding = `${said.subject}: found ${said.found}, expected ${said.expected}`
    super(`${finding}. ${action}`, options)
    this.said = said
    this.finding = finding
    this.name = 'BulkError'
    this.code = code
    this.extra = extra
  }

  get retry(): Retry {
    return ERRORS[this.code].retry
  }

  /** The error as problem details. */
  problem(): Problem {
    const { title, status } = ERRORS[this.code]
    return {
      type: `/problems/${this.code}`,
      title,
      status,
      code: this.code,
      detail: this.message,
      ...this.extra,
    }
  }
}

function e(status: number, retry: Retry, title: string, action: string) {
  return { status, retry, title, action }
}
