/**
 * What of `expected` is not so in `found`, one line each. Objects are compared by the fields that are expected, lists
 * item by item, values by their texts. `'*'` is any value but null; `'~ part'` is a text with that part.
 */
export function differences(expected: unknown, found: unknown, path = ''): string[] {
  const said = () => [`${path}: expected ${shown(expected)}, found ${shown(found)}`]
  if (expected === '*') return found === null || found === undefined ? said() : []
  if (typeof expected === 'string' && expected.startsWith('~ '))
    return String(found).includes(expected.slice(2)) ? [] : said()
  if (Array.isArray(expected)) {
    if (!Array.isArray(found)) return said()
    if (expected.length !== found.length)
      return [`${path}: expected ${expected.length} item(s), found ${found.length}: ${shown(found)}`]
    return expected.flatMap((one, at) => differences(one, found[at], `${path}[${at}]`))
  }
  if (isObject(expected)) {
    if (!isObject(found)) return said()
    return Object.entries(expected).flatMap(([name, value]) =>
      name in found || value === null
        ? differences(value, found[name] ?? null, path ? `${path}.${name}` : name)
        : [`${path}: expected ${name} (${shown(value)}), found only ${Object.keys(found).join(', ')}`],
    )
  }
  if (expected === null || found === null || found === undefined)
    return expected === (found ?? null) ? [] : said()
  return typeof found !== 'object' && String(expected) === String(found) ? [] : said()
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 800 ? `${text.slice(0, 800)}…` : text
}
