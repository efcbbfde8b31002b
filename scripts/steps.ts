/** The column at which the time of a step ends: all of it fits a terminal of 80. */
const WIDTH = 79

/**
 * Does one step and says on one line what it was, what came of it, and how long it took. On a terminal the
 * line stands there while the step goes on.
 */
export async function step<T>(
  label: string,
  work: () => Promise<T>,
  result: (value: T) => string = () => '',
): Promise<T> {
  const out = process.stdout
  if (out.isTTY) out.write(`${label} ...`)
  const startedAt = performance.now()
  try {
    const value = await work()
    const took = `${((performance.now() - startedAt) / 1000).toFixed(2)} s`
    const said = [label, result(value)].filter(Boolean).join(': ')
    const dots = '.'.repeat(Math.max(3, WIDTH - said.length - took.length - 2))
    out.write(`${out.isTTY ? '\r\x1b[2K' : ''}${said} ${dots} ${took}\n`)
    return value
  } catch (error) {
    if (out.isTTY) out.write('\n')
    throw error
  }
}

/** 12000 as `12,000`; what is not known as `-`. */
export function amount(value: number | null): string {
  return value === null ? '-' : value.toLocaleString('en-US')
}
