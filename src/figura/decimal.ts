/** A decimal number of any size: `digits` divided by ten to the `scale`, without zeros at its end. */
export type Decimal = { digits: bigint; scale: number }

/** A double reaches to 1e308; an exponent without bound would be gigabytes of zeros. */
const MAX_EXPONENT = 400

/** Reads a number as people and JSON write it: `12`, `-0.50`, `1e6`. Undefined: it is none. */
export function parseDecimal(text: string): Decimal | undefined {
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i.exec(text)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts ?? []
  if (!parts || whole + fraction === '' || Math.abs(Number(exponent)) > MAX_EXPONENT) return undefined
  const scale = fraction.length - Number(exponent)
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n)
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : shortened({ digits, scale })
}

/** Negative when `a` is less, 0 when they are equal. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale)
  const difference = raised(a, scale) - raised(b, scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** How many digits stand before the point, and behind it. */
export function digitsOf({ digits, scale }: Decimal): { before: number; behind: number } {
  const size = (digits < 0n ? -digits : digits) / 10n ** BigInt(scale)
  return { before: size === 0n ? 0 : String(size).length, behind: scale }
}

function shortened({ digits, scale }: Decimal): Decimal {
  let short = { digits, scale }
  while (short.scale > 0 && short.digits % 10n === 0n)
    short = { digits: short.digits / 10n, scale: short.scale - 1 }
  return short
}

function raised({ digits, scale }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(to - scale)
}
