/** A name as an SQL identifier. Every name that comes from a figura or from a file goes through here. */
export function quote(identifier: string): string {
  if (identifier.includes('\0'))
    throw new Error(`An identifier with a NUL cannot be written in SQL: ${identifier}`)
  return `"${identifier.replaceAll('"', '""')}"`
}

/** A text as a literal of PostgreSQL, for the few statements that take no parameters. */
export function quoteLiteral(text: string): string {
  if (/[\\\0]/.test(text))
    throw new Error(`A text with a backslash or a NUL is not written as a literal: ${text}`)
  return `'${text.replaceAll("'", "''")}'`
}

/** A text as a literal of DuckDB, in which a backslash is a plain character. */
export function duckLiteral(text: string): string {
  if (!text.includes('\0')) return `'${text.replaceAll("'", "''")}'`
  // a statement ends at a NUL
  return `(${text.split('\0').map(duckLiteral).join(` || chr(0) || `)})`
}
