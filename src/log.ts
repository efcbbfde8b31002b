/** A line of the service's own log: JSON on standard output, one object a line, for any collector to read. */
export type Log = {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
  /** The same log with fields that every line carries. */
  with(fields: Record<string, unknown>): Log
}

/** Makes the log. `fields` go into every line (node, role, thread …). */
export function createLog(fields: Record<string, unknown>, write: (line: string) => void = console.log): Log {
  const line =
    (level: string) =>
    (message: string, more: Record<string, unknown> = {}) =>
      write(JSON.stringify({ at: new Date().toISOString(), level, message, ...fields, ...more }))
  return {
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (more) => createLog({ ...fields, ...more }, write),
  }
}

/** What an error says; whatever else was thrown, as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** An error as fields of a log line: name, code and message; the stack too, unless the error is one of ours. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) }
  const code = 'code' in error ? error.code : undefined
  return {
    error: error.message,
    name: error.name,
    code,
    stack: error.name === 'BulkError' ? undefined : error.stack,
  }
}
