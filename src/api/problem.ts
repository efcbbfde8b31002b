import { Elysia, NotFoundError, ParseError, ValidationError } from 'elysia'
import { isTransient, sqlState } from '../db/postgres.ts'
import { BulkError, ERRORS, type ErrorCode } from '../errors.ts'
import { nearest } from '../figura/nearest.ts'
import { errorFields, type Log } from '../log.ts'
import { invalidRequest } from './invalid.ts'
import { says } from './operation.ts'
import { allowedMethods, pathOf, type Route } from './routes.ts'
import { ProblemCode, ProblemParams } from './service-schemas.ts'

/** How long a caller is asked to wait while PostgreSQL is away: a failover takes some seconds. */
const RETRY_SECONDS = 5

/**
 * Turns everything that is thrown anywhere in the app into an answer of RFC 9457, and explains the codes.
 * `routes` are those of the whole app, to tell a wrong method from a wrong address; it is read when an error
 * comes. Beware: a thrown text of ours is shown as it is; any other error is masked, and logged under the id
 * that is answered.
 */
export function createProblems({ log, routes }: { log: Log; routes: Route[] }) {
  return new Elysia({ name: 'problems' })
    .onError({ as: 'global' }, ({ error: thrown, request }) => {
      // so Elysia wraps whatever comes of the hooks that stand before a body: a key that cannot be looked at, too
      const error = thrown instanceof ParseError ? thrown.cause : thrown
      const method = request.method
      const path = pathOf(request)
      const allow = error instanceof NotFoundError ? allowedMethods(routes, path) : []
      const known = knownError(error, { method, path, allow })
      // a probe asks every few seconds: its answer says enough
      if (known && (known.code !== 'unavailable' || path === '/readyz')) return answer(known, path, allow)
      const id = Bun.randomUUIDv7()
      const said = known ?? internal(id)
      log[known ? 'warn' : 'error'](ERRORS[said.code].title, { id, method, path, ...loggedFields(error) })
      return answer(said, path, [])
    })
    .get('/problems/:code', ({ params }) => explain(params.code), {
      params: ProblemParams,
      response: { 200: ProblemCode },
      detail: says({
        id: 'explainCode',
        summary: 'What an error code means',
        description: 'The address that `type` of every error holds.',
        tag: 'Service',
        errors: ['route_unknown'],
      }),
    })
}

/** That the service cannot answer now. `found` is what it lacks. */
export function unavailable(found: string, extra: Record<string, unknown> = {}): BulkError {
  return new BulkError('unavailable', { subject: 'The service', found, expected: 'all that it needs' }, extra)
}

type Asked = { method: string; path: string; allow: string[] }

/** The error as one of ours; undefined when it is a fault of the service. */
function knownError(error: unknown, { method, path, allow }: Asked): BulkError | undefined {
  if (error instanceof BulkError) return error
  // Elysia says 422 of an answer that does not fit its own schema too
  if (error instanceof ValidationError && error.type === 'response') return undefined
  if (error instanceof ValidationError && error.type !== 'params') return invalidRequest(error)
  // a segment that cannot be decoded, such as %zz, is no text
  if (error instanceof NotFoundError || error instanceof ValidationError) {
    const subject = `The address ${path}`
    return allow.length
      ? new BulkError('method_refused', { subject, found: method, expected: allow.join(' or ') }, { allow })
      : new BulkError('route_unknown', { subject: 'The address', found: path, expected: 'one of the API' })
  }
  if (isUnprepared(error)) return unavailable('a database that is not prepared yet')
  return isTransient(error) ? unavailable('no PostgreSQL that answers') : undefined
}

/** The tables are made after the service listens, and later still when the database comes up late. */
function isUnprepared(error: unknown): boolean {
  const state = sqlState(error)
  return state === '42P01' || state === '3F000'
}

function internal(id: string): BulkError {
  const said = { subject: `The request ${id}`, found: 'a fault of the service', expected: 'an answer' }
  return new BulkError('internal', said, { id })
}

/** A validation error's own message would repeat the whole answer. */
function loggedFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof ValidationError)) return errorFields(error)
  const errors = error.all.map(({ path, summary }) => `${path}: ${summary}`)
  return { error: 'An answer does not fit its schema', errors }
}

function answer(error: BulkError, path: string, allow: string[]): Response {
  const problem = { ...error.problem(), instance: path }
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  const wait = error.extra.retry_after ?? (problem.status === 503 ? RETRY_SECONDS : undefined)
  if (wait !== undefined) headers.set('retry-after', String(wait))
  const challenge = challengeOf(error)
  if (challenge) headers.set('www-authenticate', challenge)
  // what is still to come of the body is not waited for
  if (error.code === 'body_slow') headers.set('connection', 'close')
  if (allow.length) headers.set('allow', allow.join(', '))
  return new Response(JSON.stringify(problem), { status: problem.status, headers })
}

/** What a caller is told of keys, as RFC 6750 has it. */
function challengeOf({ code, extra }: BulkError): string | undefined {
  if (code === 'scope_missing') return `Bearer error="insufficient_scope", scope="${extra.scope}"`
  if (code !== 'key_refused') return undefined
  return extra.challenge ? `Bearer error="${extra.challenge}"` : 'Bearer'
}

function explain(code: string): ProblemCode {
  if (!isErrorCode(code)) {
    const codes = Object.keys(ERRORS)
    const meant = nearest(code, codes)
    throw new BulkError(
      'route_unknown',
      { subject: 'The code', found: JSON.stringify(code), expected: meant ?? `one of ${codes.join(', ')}` },
      { nearest: meant ?? null },
    )
  }
  const { status, retry, title, action } = ERRORS[code]
  return {
    code,
    type: `/problems/${code}`,
    title,
    status,
    retry: retry === 'never' ? retry : 'later',
    action,
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}
