import { BulkError } from '../errors.ts'
import { inTime } from './in-time.ts'

/** The most that a body may have, and how long it may take to come in. */
export type BodyLimits = { bytes: number; ms: number }

/**
 * Reads a body as JSON, whatever its content type says: exporters use curl, which calls JSON a form.
 * The bound holds before memory is spent: an announced length is judged without reading a byte, and a body of
 * unknown length is counted as it comes.
 * @throws BulkError body_too_large, body_slow, body_not_json
 */
export async function readJson(request: Request, { bytes, ms }: BodyLimits): Promise<unknown> {
  const announced = request.headers.get('content-length')
  if (announced !== null && Number(announced) > bytes) throw tooLarge(`${announced} bytes`, bytes)
  // with a length, HTTP itself ends the body there
  const reading = announced === null ? readCounted(request, bytes) : request.text()
  const text = await inTime(reading.catch(brokenOff), ms, () => slow(ms))
  if (text.trim() === '') throw notJson('an empty body')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notJson(`text that is no JSON (${error instanceof Error ? error.message : error})`)
  }
}

async function readCounted(request: Request, most: number): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body ?? []) {
    bytes += part.byteLength
    if (bytes > most) throw tooLarge(`more than ${most} bytes`, most)
    parts.push(part)
  }
  return new TextDecoder().decode(Buffer.concat(parts))
}

function tooLarge(found: string, bytes: number): BulkError {
  return new BulkError('body_too_large', {
    subject: 'The body',
    found,
    expected: `at most ${bytes} bytes (BODY_MAX_KB)`,
  })
}

function slow(ms: number): BulkError {
  return new BulkError('body_slow', {
    subject: 'The body',
    found: `a part of it after ${ms} ms`,
    expected: 'all of it',
  })
}

function brokenOff(error: unknown): never {
  if (error instanceof BulkError) throw error
  const said = { subject: 'The body', found: 'that it broke off', expected: 'all of it' }
  throw new BulkError('body_not_json', said)
}

function notJson(found: string): BulkError {
  return new BulkError('body_not_json', { subject: 'The body', found, expected: 'a JSON object' })
}
