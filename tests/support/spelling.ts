/** A statement with a name, and the run of one by its name, as the client of PostgreSQL sends them. */
const PARSE = /P[^]{4}(\w+)\0([^\0]*)\0/g
const BIND = /B[^]{4}\0(\w+)\0/g

/**
 * Makes texts of the bytes of one connection. A statement is prepared in one message and run by another one, which has
 * its name alone, and perhaps much later: its text stands where it is run, and nowhere else.
 */
export function spelling(): (data: Buffer) => string {
  const statements = new Map<string, string>()
  return (data) =>
    data
      .toString('latin1')
      .replaceAll(PARSE, (_, name: string, text: string) => {
        statements.set(name, text)
        return ''
      })
      .replaceAll(BIND, (_, name: string) => `${statements.get(name) ?? ''}\0`)
}
