import { BulkError } from '../errors.ts'

/**
 * Reads a body as JSON, whatever its content type says: exporters use curl, which calls JSON a form.
 * The bound holds before memory is spent: an announced length is judged without reading a byte, and a body of
 * unknown length is counted as it comes.
 * @throws BulkError body_too_large, body_not_json
 */
export async function readJson(request: Request, bodyBytes: number): Promise<unknown> {
  const announced = request.headers.get('content-length')
  if (announced !== null && Number(announced) > bodyBytes) throw tooLarge(`${announced} bytes`, bodyBytes)
  // with a length, HTTP itself ends the body there
  const text = announced === null ? await readCounted(request, bodyBytes) : await request.text()
  if (text.trim() === '') throw notJson('an empty body')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notJson(`text that is no JSON (${error instanceof Error ? error.message : error})`)
  }
}

async function readCounted(request: Request, bodyBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body ?? []) {
    bytes += part.byteLength
    if (bytes > bodyBytes) throw tooLarge(`more than ${bodyBytes} bytes`, bodyBytes)
    parts.push(part)
  }
  return new TextDecoder().decode(Buffer.concat(parts))
}

function tooLarge(found: string, bodyBytes: number): BulkError {
  return new BulkError('body_too_large', {
    subject: 'The body',
    found,
    expected: `at most ${bodyBytes} bytes`,
  })
}

function notJson(found: string): BulkError {
  return new BulkError('body_not_json', { subject: 'The body', found, expected: 'a JSON object' })
}
